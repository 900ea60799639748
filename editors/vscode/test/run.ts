// Downloads VS Code and runs the tests in it, on a workspace made for them.
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runTests } from "@vscode/test-electron";

async function main(): Promise<void> {
  const here = resolve(__dirname, "..");
  const workspace = mkdtempSync(join(tmpdir(), "modellint-vscode-"));
  cpSync(join(here, "test", "workspace"), workspace, { recursive: true });
  const program = process.env.MODELLINT ?? "modellint";
  const user = mkdtempSync(join(tmpdir(), "modellint-user-"));
  mkdirSync(join(user, "User"));
  writeFileSync(
    join(user, "User", "settings.json"),
    JSON.stringify({ "modellint.path": program, "security.workspace.trust.enabled": false }),
  );
  await runTests({
    extensionDevelopmentPath: here,
    extensionTestsPath: join(here, "dist", "suite.js"),
    launchArgs: [workspace, "--disable-extensions", `--user-data-dir=${user}`],
  });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
