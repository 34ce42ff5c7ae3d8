// What the row-wise kernels are told: a dispatch covers rows, with a workgroup of 64 for each.
//
// Binding 0 of group 0 of every kernel is what a dispatch covers and the shapes of its arrays, at a dynamic offset. A long
// dispatch is cut into several, so that no driver's watchdog takes it for a hang, and they differ in `first` and `end` alone.
// Shapes are no constants of the text: compiling takes longer than a short text, and so it is done once for all shapes.
struct Run {
  first: u32, // rows from `first` up to `end`
  end: u32,
  width: u32, // vec4s in a row
  columns: u32, // columns in it that count; the others are padding, and 0
  epsilon: f32, // of a LayerNorm
  levels: u32, // the largest quantized activation
  stored: u32, // bits of an element of the word embedding: 32, 8 or 4
  ids_from: u32, // the first id in this part of it, and the one behind the last
  ids_to: u32,
  pitch: u32, // features in a row: those of the token before, of the token and of the token behind
  feature: u32, // the first of them that the table has a row for
  features: u32, // and how many
}
@group(0) @binding(0) var<uniform> run: Run;
