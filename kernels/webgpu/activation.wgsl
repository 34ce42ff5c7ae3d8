// The activation functions, with the constants and in the order of kernels/math.ts. None of them asks the language for tanh,
// which may overflow where its result is 1.

// 0: none; 1: GELU; 2: its approximation by tanh; 3: tanh.
override ACTIVATION: u32;

// x (1 + erf(x / sqrt 2)) / 2, erf as a rational function (Eigen's generic_fast_erf_float) on [-4, 4], constant beyond.
fn gelu(x: vec4<f32>) -> vec4<f32> {
  let t = clamp(x * 0.7071067811865476, vec4<f32>(-4.0), vec4<f32>(4.0));
  let s = t * t;
  let s2 = s * s;
  let s4 = s2 * s2;
  let p01 = s * -2.95459980854025e-03 + -1.60960333262415e-02;
  let p23 = s * -5.69250639462346e-05 + -7.34990630326855e-04;
  let p45 = s * 2.77068142495902e-08 + -2.10102402082508e-06;
  let p456 = s2 * -2.72614225801306e-10 + p45;
  let q01 = s * -7.37332916720468e-03 + -1.42647390514189e-02;
  let q23 = s * -2.13374055278905e-04 + -1.68282697438203e-03;
  let p = s4 * p456 + (s2 * p23 + p01);
  let q = s4 * -1.45660718464996e-05 + (s2 * q23 + q01);
  let half = x * 0.5;
  return half * (p * t / q) + half;
}

// x / (1 + e^(-2u)) with u = sqrt(2 / pi) (x + 0.044715 x^3).
fn gelu_tanh(x: vec4<f32>) -> vec4<f32> {
  let minus2u = x * (x * x * 0.044715 + 1.0) * -1.5957691216057308;
  return x / (exp(clamp(minus2u, vec4<f32>(-86.0), vec4<f32>(86.0))) + 1.0);
}

// An odd polynomial (Cephes tanhf) up to 0.625, 1 - 2 / (1 + e^2|x|) beyond.
fn tanh_of(x: vec4<f32>) -> vec4<f32> {
  let size = abs(x);
  let s = x * x;
  var p = s * -5.70498872745e-3 + 2.06390887954e-2;
  p = s * p + -5.37397155531e-2;
  p = s * p + 1.33314422036e-1;
  p = s * p + -3.33332819422e-1;
  let near = p * s * size + size;
  let far = 1.0 - 2.0 / (exp(min(size + size, vec4<f32>(86.0))) + 1.0);
  return select(far, near, size < vec4<f32>(0.625)) * sign(x);
}

fn activation(x: vec4<f32>) -> vec4<f32> {
  if (ACTIVATION == 1u) { return gelu(x); }
  if (ACTIVATION == 2u) { return gelu_tanh(x); }
  if (ACTIVATION == 3u) { return tanh_of(x); }
  return x;
}
