import resolve from "@rollup/plugin-node-resolve";

const page = resolve({ browser: true }), server = resolve({ preferBuiltins: true });
export default [
  { input: "main.js", output: { dir: "page" }, plugins: [page] },
  { input: "worker.js", output: { dir: "page" }, plugins: [page] },
  { input: "server.js", output: { dir: "server" }, plugins: [server], external: /^node:/ },
];
