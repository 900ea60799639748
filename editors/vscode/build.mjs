// Bundles the extension into one file, and its tests into two.
import { build } from "esbuild";

const common = {
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  outdir: "dist",
};
await build({ ...common, entryPoints: ["src/extension.ts"], minify: true });
await build({
  ...common,
  entryPoints: ["test/run.ts", "test/suite.ts"],
  external: ["vscode", "@vscode/test-electron"],
});
