// Products in float32: what is multiplied is added to the sums as it comes.
alias number = f32;

fn begun(c: Sums) -> Products { return Products(c.r0, c.r1, c.r2, c.r3); }
fn ended(c: Sums, p: Products) -> Sums { return Sums(p.r0, p.r1, p.r2, p.r3); }
