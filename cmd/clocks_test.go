package cmd

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wallClock lists each place of the daemon that makes a time which the wall clock alone
// is known of, and why that is compared with no deadline. Such a time, of a file, a file's
// text or a calendar, is as late as whoever sets the clock says, and makes everything so
// that is compared with it. Deadlines are made by time.Now and Add alone.
var wallClock = map[string]string{
	"cmd/internal/host Host.Stamp: time.Unix":       "of a file, compared with the clock: whether it may have changed in this moment",
	"cmd/internal/host unchanged: ModTime":          "of a file, compared with that file's",
	"reconcile Lock.sign: Truncate":                 "a file",
	"reconcile isLeftBehind: ModTime":               "of a file, compared with the clock: how long a lock of Git's is believed",
	"runtime/notify Ear.end: time.Unix":             "in 1970, to end a read that is under way",
	"reconcile overlay.Stamp: time.Unix":            "of a file, printed",
	"reconcile overlay.changed: ModTime":            "of a file, printed",
	"reconcile/watch marks.add: ModTime":            "of a file, compared with that file's",
	"reconcile/watch Watcher.closed: ModTime":       "of a file, compared with the clock, for a hint that the rounds give, too",
	"cmd/supervisord life.sayUpgraded: Round":       "a duration",
	"rpc framedConn.rouse: time.Unix":               "in 1970, to end a read that is under way",
	"runtime/capture Stdin.Pause: time.Unix":        "in 1970, to end a write that is under way",
	"runtime/launch PidFD.Save: time.Unix":          "in 1970, to end a read that is under way",
	"runtime/moment Moment.AsShown: time.Unix":      "printed",
	"rpc Server.CheckCertificates: UTC":             "of a certificate, printed",
	"rpc certificates.expiring: UTC":                "of a certificate, printed",
	"rpc Server.follow: ModTime":                    "of a file, printed",
	"rpc Server.stream: UTC":                        "of a file, printed",
	"rpc answer.time: time.Unix":                    "of a reply, printed",
	"rpc describe: Local":                           "printed",
	"rpc/page Time.Exact: Local":                    "printed",
	"rpc/page Time.Short: Local":                    "printed",
	"rpc readyMetrics: Round":                       "a duration",
	"rpc var: Round":                                "a duration",
	"runtime onWall: time.Unix":                     "of a run before an upgrade, printed and counted for people",
	"runtime call.due: Truncate":                    "a duration",
	"runtime/capture inlet.hurry: time.Unix":        "in 1970, to end a read that is under way",
	"runtime/logfile Writer.wake: time.Unix":        "in 1970, to end a write that is under way",
	"runtime/logfile fileTarget.truncate: Truncate": "a file",
	"runtime/mainlog newRecord: Local":              "printed",
	"spec/value Window.changes: In":                 "of a calendar: made into how long it is until then, and looked at again within a minute",
	"spec/value Window.changes: time.Date":          "likewise",
	"spec/value Window.contains: In":                "of a calendar, compared with that alone",
	"spec/value Window.afterGap: UTC":               "likewise",
	"spec/value ParseWindows: UnmarshalText":        "the text of windows, in which there is no time",
	"spec builder.lastChanged: ModTime":             "of a file, compared with another file's",
}

// wallMakers are the functions of package time, and the methods of any type, that make
// such a time, or take the monotonic part off one.
var wallMakers = []string{"time.Unix", "time.UnixMilli", "time.UnixMicro", "time.Date", "time.Parse", "time.ParseInLocation",
	"ModTime", "UTC", "Local", "In", "AddDate", "Round", "Truncate", "UnmarshalText", "UnmarshalJSON"}

// TestWallClock: a new one is a decision.
func TestWallClock(t *testing.T) {
	found := make(map[string]string)
	for _, top := range daemonPackages {
		err := filepath.WalkDir("../"+top, func(path string, d fs.DirEntry, err error) error {
			name := filepath.ToSlash(strings.TrimPrefix(path, "../"))
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || slices.Contains(notInTheDaemon, name)) {
				return filepath.SkipDir
			}
			if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
				return wallClockIn(path, name, found)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if wallClock[key] == "" {
			t.Errorf("%s: %s makes a time of the wall clock alone: say in wallClock why no deadline is compared with it", found[key], key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(wallClock)) {
		if found[key] == "" {
			t.Errorf("wallClock lists what the source does not have: %s", key)
		}
	}
}

// wallClockIn adds those of one file.
func wallClockIn(path, name string, found map[string]string) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, decl := range file.Decls {
		ast.Inspect(decl, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := sel.X.(*ast.Ident)
			what := sel.Sel.Name
			if pkg != nil && pkg.Name == "time" {
				what = "time." + what
			}
			if slices.Contains(wallMakers, what) && !(pkg != nil && pkg.Name == "math") {
				found[fmt.Sprintf("%s %s: %s", filepath.ToSlash(filepath.Dir(name)), declName(decl), what)] = fset.Position(sel.Pos()).String()
			}
			return true
		})
	}
	return nil
}
