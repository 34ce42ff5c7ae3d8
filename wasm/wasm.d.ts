// What a `.wasm` import is in workerd and in Vercel's edge runtime: a compiled module, not an instance.
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
