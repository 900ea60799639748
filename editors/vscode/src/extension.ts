// Starts `modellint lsp`, and shows models in tabs.
import * as os from "node:os";
import * as vscode from "vscode";
import { LanguageClient } from "vscode-languageclient/node";
import { ModelEditor, VIEW } from "./model";

const SECTION = "modellint";
const SERVER_LINT = "modellint.lint";

/** What tests may ask of the extension. */
export interface Extension {
  readonly client: LanguageClient;
  readonly models: ModelEditor;
}

export async function activate(context: vscode.ExtensionContext): Promise<Extension> {
  const client = newClient();
  const models = new ModelEditor(client);
  context.subscriptions.push(
    client,
    vscode.window.registerCustomEditorProvider(VIEW, models, {
      supportsMultipleEditorsPerDocument: true,
      webviewOptions: { retainContextWhenHidden: true },
    }),
    vscode.commands.registerCommand("modellint.lintThis", (uri?: vscode.Uri) => lint(client, uri)),
    vscode.commands.registerCommand("modellint.restart", () => client.restart()),
  );
  await start(client);
  return { client, models };
}

function newClient(): LanguageClient {
  const settings = vscode.workspace.getConfiguration(SECTION);
  const command = settings.get<string>("path") || "modellint";
  return new LanguageClient(
    SECTION,
    "modellint",
    // Not in the workspace: Windows would look there for a program of this name first.
    { command, args: ["lsp"], options: { cwd: os.homedir() } },
    {
      documentSelector: [
        { scheme: "file", pattern: "**/*.toml" },
        { scheme: "file", pattern: "**/*.onnxtxt" },
      ],
      initializationOptions: {
        targets: settings.get("targets"),
        lintModels: settings.get("lintModels"),
      },
      synchronize: { configurationSection: SECTION },
    },
  );
}

async function start(client: LanguageClient): Promise<void> {
  try {
    await client.start();
  } catch (error) {
    const how = "Install it with: pip install modellint. The setting modellint.path names another.";
    void vscode.window.showErrorMessage(`modellint did not start: ${String(error)}. ${how}`);
  }
}

/** Lints the model of the explorer's menu, or of the active tab. */
async function lint(client: LanguageClient, given?: vscode.Uri): Promise<void> {
  const uri = given ?? activeUri();
  if (uri === undefined) {
    void vscode.window.showInformationMessage("Open a model first, or use the explorer's menu.");
    return;
  }
  await client.sendRequest("workspace/executeCommand", {
    command: SERVER_LINT,
    arguments: [client.code2ProtocolConverter.asUri(uri)],
  });
  await vscode.commands.executeCommand("workbench.actions.view.problems");
}

function activeUri(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  if (input instanceof vscode.TabInputCustom || input instanceof vscode.TabInputText) {
    return input.uri;
  }
  return undefined;
}
