// Runs in VS Code: everything that the extension contributes, with the real server.
import * as assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import * as vscode from "vscode";
import type { Extension } from "../src/extension";

const PATIENCE_MS = 120_000;

export async function run(): Promise<void> {
  for (const test of [mistakes, completions, meanings, page, findings]) {
    await test();
    console.log(`passed: ${test.name}`);
  }
  console.log("5 passed, 0 failed");
}

function file(name: string): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert.ok(folder, "a folder is open");
  return vscode.Uri.joinPath(folder.uri, name);
}

async function eventually<T>(what: string, ask: () => T | undefined | false): Promise<T> {
  const until = Date.now() + PATIENCE_MS;
  while (Date.now() < until) {
    const answer = ask();
    if (answer !== undefined && answer !== false) {
      return answer;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`never happened: ${what}`);
}

async function edited(text: string): Promise<vscode.TextDocument> {
  const document = await vscode.workspace.openTextDocument(file("modellint.toml"));
  const editor = await vscode.window.showTextDocument(document);
  const end = document.lineAt(document.lineCount - 1).range.end;
  await editor.edit((edit) => edit.replace(new vscode.Range(new vscode.Position(0, 0), end), text));
  return document;
}

async function mistakes(): Promise<void> {
  const { uri } = await edited("[budgets]\nmax-parms = 5\n");
  const found = await eventually("a diagnostic", () =>
    vscode.languages.getDiagnostics(uri).find((each) => each.source === "modellint"),
  );
  assert.equal(found.message, "budgets.max-parms: unknown key; did you mean 'max-params'?");
  assert.equal(found.range.start.line, 1);
}

async function completions(): Promise<void> {
  const { uri } = await edited('select = ["FUS');
  const list = await vscode.commands.executeCommand<vscode.CompletionList>(
    "vscode.executeCompletionItemProvider",
    uri,
    new vscode.Position(0, 14),
  );
  assert.ok(list.items.some((item) => item.label === "FUS002"));
}

async function meanings(): Promise<void> {
  const { uri } = await edited('targets = ["a10"]\n');
  const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
    "vscode.executeHoverProvider",
    uri,
    new vscode.Position(0, 13),
  );
  const text = hovers.flatMap((hover) => hover.contents).map((each) =>
    typeof each === "string" ? each : each.value,
  );
  assert.match(text.join("\n"), /NVIDIA A10/);
}

async function page(): Promise<void> {
  const uri = file("net.onnx");
  await vscode.commands.executeCommand("vscode.open", uri);
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  assert.ok(input instanceof vscode.TabInputCustom);
  assert.equal(input.viewType, "modellint.model");
  const extension = vscode.extensions.getExtension<Extension>("modellint.modellint");
  assert.ok(extension);
  const { models } = await extension.activate();
  const shown = () => models.pages.get(uri.toString());
  const first = await eventually("a page", shown);
  assert.match(first, /Content-Security-Policy/);
  assert.match(first, /net\.onnx/);
  writeFileSync(uri.fsPath, "not a model");
  await eventually("another page", () => (shown() !== first ? shown() : undefined));
}

async function findings(): Promise<void> {
  const uri = file("other.onnx");
  await vscode.commands.executeCommand("modellint.lintThis", uri);
  const found = await eventually("a finding", () =>
    vscode.languages.getDiagnostics(uri).find((each) => each.source === "modellint"),
  );
  const code = found.code;
  assert.ok(typeof code === "object");
  assert.match(code.target.toString(), /rules\//);
}
