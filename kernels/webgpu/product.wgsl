// What all products y = x W^T + b share: where their results go.
//
// A product is this, numbers of one type and a tile of one size. Of numbers a tile knows how columns of x and of weights are
// fetched, what a step's operands are, what becomes of them, and how sums are put away; of a tile they know its rows.
//
// Weights lie in panels of 64 columns, the last one filled up with zeros; a workgroup's column of tiles is a panel.
//
// Binding 0 of group 0 of every kernel is what a dispatch covers and the shapes of its arrays, at a dynamic offset. A long
// dispatch is cut into several, so that no driver's watchdog takes it for a hang, and they differ in `first` and `end` alone.
// Shapes are no constants of the text: compiling takes longer than a short text, and so it is done once for all shapes.
struct Run {
  first: u32, // rows from `first` up to `end`
  end: u32,
  k: u32, // columns of x, a multiple of 16
  y_width: u32, // vec4s in a row of y
  column: u32, // the vec4 of y's rows that the first panel's columns begin with
  width: u32, // vec4s of columns that there are
  add: u32, // 1: to what y holds, instead of over it
}
@group(0) @binding(0) var<uniform> run: Run;

@group(1) @binding(0) var<storage, read_write> y: array<vec4<f32>>;

// Writes vec4 number `column` of the product's row `row`, if it is there.
fn put(row: u32, column: u32, value: vec4<f32>) {
  if (row >= run.end || column >= run.width) { return; }
  let at = row * run.y_width + run.column + column;
  var result = value;
  if (run.add == 1u) { result += y[at]; }
  y[at] = activation(result);
}
