package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"supervisord/cmd/internal/oracle"
)

func TestMain(m *testing.M) { os.Exit(oracle.Main(m)) }

// configFiles are command lines and the mistake, in both programs alike, that
// shows which configuration file was read.
//
// Source: contract/config.md sections 1 and 9.
var configFiles = []struct {
	args string
	want string
	// search is set where the file is looked for in the usual places, which is
	// warned about if root does it.
	search bool
}{
	{args: "-c nowhere.conf", want: "could not find config file nowhere.conf"},
	{args: "-c sub", want: "could not read config file sub"},
	{args: "-c loop", want: "could not find config file loop"},
	{args: "-c named.conf/below", want: "could not find config file named.conf/below"},
	{args: "-c named.conf", want: "bad logging level name 'named'"},
	{args: "--conf sub/../named.conf", want: "bad logging level name 'named'"},
	{args: "-c /dev/null", want: ".ini file does not include supervisord section"},
	{args: "", want: "bad logging level name 'found'", search: true},
	{args: "-n -u nosuch-user", want: "bad logging level name 'found'", search: true},
	{args: "-c user.conf -u nosuch-user", want: "Invalid user name nosuch-user"},
	{args: "-c user.conf -l /nowhere/log", want: "invalid value for -l '/nowhere/log': " +
		"The directory named as part of the path /nowhere/log does not exist"},
}

func TestConfigFile(t *testing.T)       { testConfigFile(t, oracle.Ours) }
func TestConfigFileDebian(t *testing.T) { oracle.Require(t); testConfigFile(t, oracle.Debian) }

func testConfigFile(t *testing.T, kind oracle.Kind) {
	for _, test := range configFiles {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			dir := extract(t, []txtar.File{
				{Name: "supervisord.conf", Data: []byte("[supervisord]\nloglevel=found\n")},
				{Name: "named.conf", Data: []byte("[supervisord]\nloglevel=named\n")},
				{Name: "user.conf", Data: []byte("[supervisord]\nuser=another-nosuch-user\n")},
				{Name: "sub/x"},
			})
			if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
				t.Fatal(err)
			}
			out := oracle.Exec(t, kind, "supervisord", dir, strings.Fields(test.args)...)
			if !strings.Contains(out.Stderr, "Error: "+test.want+"\nFor help, use ") || out.Exit != 2 {
				t.Errorf("exit status %d, standard error:\n%s\nwant 2 and Error: %s", out.Exit, out.Stderr, test.want)
			}
			warned := strings.Contains(out.Stderr, rootSearches)
			if want := test.search && os.Getuid() == 0; warned != want {
				t.Errorf("warned about the search: %v, want %v:\n%s", warned, want, out.Stderr)
			}
		})
	}
}
