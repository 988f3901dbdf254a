package cmd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// TestNeovim: an editor that people use shows a mistake, and the meaning of a key.
func TestNeovim(t *testing.T) {
	nvim := needs.Program(t, "nvim", "REQUIRE_SUPERVISOR")
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"supervisord.conf": "[supervisord]\nloglevel=inf\n",
		"init.lua": `vim.cmd("edit supervisord.conf")
local id = vim.lsp.start_client({name = "supervisord", cmd = {vim.env.SERVER, "lsp"}, root_dir = vim.fn.getcwd()})
vim.lsp.buf_attach_client(0, id)
vim.wait(60000, function() return #vim.diagnostic.get(0) > 0 end)
local out = {}
for _, d in ipairs(vim.diagnostic.get(0)) do table.insert(out, (d.lnum + 1) .. " " .. d.message) end
local at = {textDocument = {uri = vim.uri_from_bufnr(0)}, position = {line = 1, character = 2}}
local hover = vim.lsp.buf_request_sync(0, "textDocument/hover", at, 60000)
table.insert(out, vim.split(hover[id].result.contents.value, "\\n")[1])
vim.fn.writefile(out, "seen")
vim.cmd("qa!")
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, nvim, "--headless", "-u", "NONE", "-S", "init.lua")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SERVER="+oracle.Command(t, oracle.Ours, "supervisord"), "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seen, err := os.ReadFile(filepath.Join(dir, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 loglevel: bad logging level name 'inf'", "Critical, error, warn, info"} {
		if !strings.Contains(string(seen), want) {
			t.Errorf("the editor shows no %q:\n%s", want, seen)
		}
	}
}
