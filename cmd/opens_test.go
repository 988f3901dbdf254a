package cmd

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// opensTable lists everything that the daemon opens, makes, changes or removes by a
// path.
const opensTable = "../runtime/trust/opens.md"

// daemonPackages are the directories whose source is in the daemon.
var daemonPackages = []string{"spec", "reconcile", "runtime", "rpc", "cmd/supervisord", "cmd/internal/host"}

// notInTheDaemon are directories below these that are not.
var notInTheDaemon = []string{"rpc/client"}

// openers are the functions by which a path becomes something, or something changes,
// by import path; a star at the end of a name stands for any ending.
var openers = map[string][]string{
	"os": {"Open*", "Create*", "ReadFile", "WriteFile", "ReadDir", "Mkdir*", "Rename", "Remove*", "Link", "Symlink", "Truncate",
		"Chmod", "Chown", "Lchown", "Chtimes", "Chdir", "DirFS", "CopyFS"},
	"syscall": {"Open*", "Creat*", "Mkdir*", "Mkfifo*", "Mknod*", "Rename*", "Unlink*", "Rmdir", "Link*", "Symlink*", "Truncate",
		"Chmod", "Fchmodat", "Chown", "Lchown", "Fchownat", "Chroot", "Chdir", "Bind", "Connect"},
	"golang.org/x/sys/unix": {"Open", "Openat*", "OpenTree", "OpenByHandleAt", "Creat*", "Mkdir*", "Mkfifo*", "Mknod*", "Rename*", "Unlink*", "Rmdir", "Link*", "Symlink*", "Truncate",
		"Chmod", "Fchmodat", "Chown", "Lchown", "Fchownat", "Chroot", "Chdir", "Bind", "Connect", "Mount"},
	"net":           {"Listen", "ListenTCP", "ListenUDP", "ListenIP", "ListenUnix*", "ListenPacket", "ListenMulticastUDP", "Dial*", "FileListener", "FileConn"},
	"io/ioutil":     {"*"},
	"path/filepath": {"Glob", "Walk*", "EvalSymlinks"},
	"crypto/tls":    {"LoadX509KeyPair", "Listen", "Dial*"},
	"plugin":        {"Open"},
	module + "runtime/trust": {"OpenFile", "OpenFileOn", "ReadFile", "WriteFile", "Rename", "Chmod", "Chown", "Check",
		"FindDir", "MakeDir", "Mkdir", "List", "OpenKept", "Read", "RemoveDir", "Replace", "Remove"},
}

// opens are the uses of openers in the source of the daemon, for every system, as
// "package.function: call", with a place for each.
func opens(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, top := range daemonPackages {
		err := filepath.WalkDir("../"+top, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := filepath.ToSlash(strings.TrimPrefix(path, "../"))
			if d.IsDir() {
				if d.Name() == "testdata" || slices.Contains(notInTheDaemon, name) {
					return filepath.SkipDir
				}
				return nil
			}
			if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
				return opensIn(path, name, found)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// opensIn adds those of one file.
func opensIn(path, name string, found map[string]string) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	imports := make(map[string]string) // import path by name
	for _, spec := range file.Imports {
		from, _ := strconv.Unquote(spec.Path.Value)
		as := from[strings.LastIndexByte(from, '/')+1:]
		if spec.Name != nil {
			as = spec.Name.Name
		}
		if _, watched := openers[from]; watched && as == "." {
			return fmt.Errorf("%s imports %s without a name", path, from)
		}
		imports[as] = from
	}
	for _, decl := range file.Decls {
		where := declName(decl)
		ast.Inspect(decl, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok || !opener(imports[pkg.Name], sel.Sel.Name) {
				return true
			}
			key := fmt.Sprintf("%s %s: %s.%s", filepath.ToSlash(filepath.Dir(name)), where, pkg.Name, sel.Sel.Name)
			found[key] = fset.Position(sel.Pos()).String()
			return true
		})
	}
	return nil
}

// declName is how the tables call the place of a declaration.
func declName(decl ast.Decl) string {
	f, ok := decl.(*ast.FuncDecl)
	switch {
	case !ok:
		return "var"
	case f.Recv != nil:
		return receiver(f.Recv.List[0].Type) + "." + f.Name.Name
	}
	return f.Name.Name
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	case *ast.IndexExpr:
		return receiver(e.X)
	}
	return "?"
}

func opener(from, name string) bool {
	// A net.ListenConfig listens by a method, and so do its kin; to name one is enough.
	if from == "net" && (name == "ListenConfig" || name == "Dialer") || from == "os" && name == "Root" {
		return true
	}
	return slices.ContainsFunc(openers[from], func(pattern string) bool {
		prefix, any := strings.CutSuffix(pattern, "*")
		return name == pattern || any && strings.HasPrefix(name, prefix)
	})
}

// TestOpensTable: every open of the daemon is in the table, and everything in the
// table is there.
func TestOpensTable(t *testing.T) {
	text, err := os.ReadFile(opensTable)
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for row := range strings.Lines(string(text)) {
		cells := strings.Split(row, "|")
		if len(cells) < 3 || !strings.HasPrefix(row, "| `") {
			continue
		}
		if len(cells) != 7 || slices.ContainsFunc(cells[1:6], func(c string) bool { return strings.TrimSpace(c) == "" }) {
			t.Errorf("this row has an empty cell, or not five: %s", row)
		}
		who := strings.Trim(strings.TrimSpace(cells[1]), "`")
		for call := range strings.SplitSeq(cells[2], ",") {
			key := who + ": " + strings.Trim(strings.TrimSpace(call), "`")
			if listed[key] {
				t.Errorf("listed twice: %s", key)
			}
			listed[key] = true
		}
	}
	found := opens(t)
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if !listed[key] {
			t.Errorf("%s: not in %s: %s", found[key], opensTable, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(listed)) {
		if _, is := found[key]; !is {
			t.Errorf("%s lists what the source does not have: %s", opensTable, key)
		}
	}
}

// TestOpensAreFound: the walk sees an open however it is spelled.
func TestOpensAreFound(t *testing.T) {
	const source = `package p
import ("net"; o "os"; "golang.org/x/sys/unix")
var read = o.ReadFile
type T[K any] struct{}
func (t *T[K]) m() { f := func() { unix.Openat(0, "x", 0, 0) }; f() }
func l() { var c net.ListenConfig; c.Listen(nil, "unix", "x") }
func no(os struct{ Open func() }) { os.Open(); o.Getpid() }
`
	path := filepath.Join(t.TempDir(), "p.go")
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	if err := opensIn(path, "p/p.go", found); err != nil {
		t.Fatal(err)
	}
	want := []string{"p T.m: unix.Openat", "p l: net.ListenConfig", "p var: o.ReadFile"}
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
