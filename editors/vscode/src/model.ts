// A tab that shows what is in a model: the page of `modellint inspect`, which fetches nothing.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";

export const VIEW = "modellint.model";
const SERVER_INSPECT = "modellint.inspect";
const SERVER_LINT = "modellint.lint";
const PAUSE_MS = 500;

export class ModelEditor implements vscode.CustomReadonlyEditorProvider {
  /** The pages that are shown, by URI. */
  readonly pages = new Map<string, string>();

  constructor(private readonly client: LanguageClient) {}

  openCustomDocument(uri: vscode.Uri): vscode.CustomDocument {
    return { uri, dispose: () => this.pages.delete(uri.toString()) };
  }

  resolveCustomEditor(document: vscode.CustomDocument, panel: vscode.WebviewPanel): void {
    const { uri } = document;
    panel.webview.options = { enableScripts: true, localResourceRoots: [] };
    const tab = new Tab(this.client, uri, panel, (page) => this.pages.set(uri.toString(), page));
    const folder = vscode.Uri.joinPath(uri, "..");
    const name = uri.path.slice(uri.path.lastIndexOf("/") + 1);
    const pattern = new vscode.RelativePattern(folder, escaped(name));
    const watcher = vscode.workspace.createFileSystemWatcher(pattern, false, false, true);
    watcher.onDidChange(() => tab.soon());
    watcher.onDidCreate(() => tab.soon());
    panel.onDidDispose(() => {
      watcher.dispose();
      tab.dispose();
    });
    tab.soon(0);
  }
}

/** The content of one tab. */
class Tab {
  private timer: NodeJS.Timeout | undefined;
  private asked = new vscode.CancellationTokenSource();

  constructor(
    private readonly client: LanguageClient,
    private readonly uri: vscode.Uri,
    private readonly panel: vscode.WebviewPanel,
    private readonly shown: (page: string) => void,
  ) {}

  /** Shows the model after a pause; what was asked before is out of date. */
  soon(pause = PAUSE_MS): void {
    clearTimeout(this.timer);
    this.asked.cancel();
    this.timer = setTimeout(() => void this.show(), pause);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.asked.cancel();
  }

  private async show(): Promise<void> {
    this.asked = new vscode.CancellationTokenSource();
    const { token } = this.asked;
    const model = [this.client.code2ProtocolConverter.asUri(this.uri)];
    if (this.panel.webview.html === "") {
      this.panel.webview.html = plain("Reading the model…");
    }
    try {
      if (vscode.workspace.getConfiguration("modellint").get("lintModels")) {
        await this.execute(SERVER_LINT, model, token);
      }
      const page = await this.execute(SERVER_INSPECT, model, token);
      if (!token.isCancellationRequested) {
        this.panel.webview.html = String(page);
        this.shown(String(page));
      }
    } catch (error) {
      if (!token.isCancellationRequested) {
        const text = error instanceof Error ? error.message : String(error);
        this.panel.webview.html = plain(`modellint could not show this model: ${text}`);
      }
    }
  }

  private execute(
    command: string,
    args: string[],
    token: vscode.CancellationToken,
  ): Promise<unknown> {
    const request = { command, arguments: args };
    return this.client.sendRequest("workspace/executeCommand", request, token);
  }
}

/** Returns a page with one sentence, which may have come from a model. */
function plain(text: string): string {
  const safe = text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
  const policy = "default-src 'none'";
  return `<!doctype html><html><head><meta http-equiv="Content-Security-Policy"
    content="${policy}"></head><body>${safe}</body></html>`;
}

/** Returns a name as a glob that matches nothing else. */
function escaped(name: string): string {
  return name.replace(/[*?{}[\]]/g, (char) => `[${char}]`);
}
