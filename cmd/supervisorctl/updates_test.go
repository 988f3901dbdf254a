package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// byHand is frozen with files beside it.
const byHand = frozen + `[include]
files=conf.d/*.ini
`

// scene plays one scenario: a title, then commands, each by a client of its own.
func scene(title string, commands ...string) oracle.Step {
	play := each(commands...)
	return func(s *oracle.Session) {
		s.Printf("\n# %s\n", title)
		play(s)
	}
}

// catOf is a program that is RUNNING as soon as it is started.
func catOf(name string, keys ...string) string {
	return "[program:" + name + "]\ncommand=/bin/cat\nstartsecs=0\n" + strings.Join(keys, "\n") + "\n"
}

// put writes conf.d/NAME.ini.
func put(name, text string) oracle.Step { return oracle.Write("conf.d/"+name+".ini", text) }

// drop removes conf.d/NAME.ini.
func drop(name string) oracle.Step { return oracle.Remove("conf.d/" + name + ".ini") }

// inPlace is why update differs where our client meets our daemon.
const inPlace = "what changes in place stops nothing, and processes that did not change go on as they are"

// TestUpdatesByHand plays what people and their tools do with changed files by
// reread, update, add and remove, with every pairing of clients and daemons.
//
// Source: contract/reconcile.md sections 2 to 6.
func TestUpdatesByHand(t *testing.T) {
	t.Parallel()
	oracle.Run(t, "testdata/updates", []oracle.Row{
		{
			Name: "files", Config: byHand,
			Together: inPlace,
			Files:    map[string]string{"conf.d/a.ini": catOf("a"), "conf.d/b.ini": catOf("b")},
			Steps: []oracle.Step{
				running("a", "b"), scene("nothing changed", "reread", "update", "update all", "update a"),
				put("c", catOf("c")), scene("a new file is available, then added", "add c", "reread", "avail", "add c", "add c"), running("c"),
				scene("what is added stays so", "reread", "update", "status"),
				put("d", catOf("d")), scene("update adds without a reread before", "update"), running("d"),
				put("a", catOf("a", "stopwaitsecs=5")), scene("a changed key", "reread", "reread", "update"), running("a"),
				put("a", "; only a comment\n"+catOf("a", "stopwaitsecs = 5")), scene("a comment is no change", "reread", "update"),
				put("a", catOf("a", "stopwaitsecs=5", "stopsignal=15", "numprocs=1", "serverurl=AUTO")), scene("another spelling is no change", "reread", "update"),
				drop("d"), scene("a file is gone: nothing is removed that runs", "remove d", "reread", "remove d", "stop d", "remove d", "remove d"),
				drop("c"), scene("update stops what it removes", "update"), scene("and then", "status", "reread"),
				put("e", catOf("e", "priority=20")), put("f", catOf("f", "priority=10")), scene("two at once come by their priority", "reread", "update"), running("e", "f"),
				drop("e"), put("f", catOf("f", "priority=11")), put("g", catOf("g")), scene("removed, changed, added: in this order", "update"), running("f", "g"),
				put("g", catOf("h")), scene("another name in the same file", "reread", "update"), running("h"),
				put("f", catOf("f", "priority=12")), put("a", catOf("a")), scene("only what is named", "update f", "reread", "update a"), running("a", "f"),
				scene("names that are none", "update nope", "add nope", "remove nope", "update nope f", "add", "remove"),
				put("i", catOf("i")), scene("a name that is none beside one that is", "update nope i"), running("i"),
				drop("a"), drop("b"), drop("f"), drop("g"), drop("i"), scene("all files are gone", "reread", "update", "status", "avail"),
			},
		},
		{
			Name: "groups", Config: byHand,
			Together: inPlace,
			Files:    map[string]string{"conf.d/a.ini": catOf("a") + catOf("b") + "[group:g]\nprograms=a,b\n", "conf.d/n.ini": catOf("n", "numprocs=2", "process_name=%(process_num)d")},
			Steps: []oracle.Step{
				running("g:a", "g:b", "n:0", "n:1"), scene("nothing changed", "reread", "update"),
				put("n", catOf("n", "numprocs=3", "process_name=%(process_num)d")), scene("one process more", "reread", "update"), running("n:2"), scene("so it is", "status"),
				put("n", catOf("n", "numprocs=1", "process_name=%(process_num)d")), scene("two less", "update"), running("n:0"), scene("so it is", "status", "status n:1"),
				put("n", catOf("n", "numprocs=1", "process_name=x%(process_num)d")), scene("another name of the process", "update"), running("n:x0"), scene("so it is", "status n:*"),
				put("a", catOf("a")+catOf("b")+"[group:g]\nprograms=a,b\npriority=5\n"), scene("the priority of a group", "reread", "update"), running("g:a", "g:b"),
				put("a", catOf("a")+catOf("b")+"[group:g]\nprograms=b,a\npriority=5\n"), scene("the order of its programs", "reread", "update"), running("g:a", "g:b"),
				put("a", catOf("a", "priority=1")+catOf("b")+"[group:g]\nprograms=b,a\npriority=5\n"), scene("one member", "reread", "update g"), running("g:a", "g:b"),
				put("a", catOf("a", "priority=1")+catOf("b")+"[group:g]\nprograms=b\npriority=5\n"), scene("a member leaves its group", "reread", "update"), running("a", "g:b"),
				put("a", catOf("a", "priority=1")+catOf("b")+"[group:g]\nprograms=b,a\n"), scene("and joins it again", "reread", "update g", "reread", "update"), running("g:a", "g:b"),
				put("a", catOf("a", "priority=1")+catOf("b")), scene("the group is gone, its programs stay", "reread", "update"), running("a", "b"),
				drop("a"), scene("all are gone", "reread", "remove a b", "stop a b", "remove a b", "update", "status"),
			},
		},
		{
			Name: "states", Config: byHand,
			Together: inPlace,
			Files: map[string]string{
				"conf.d/off.ini": catOf("off", "autostart=false"), "conf.d/on.ini": catOf("on"),
				"conf.d/fatal.ini": "[program:fatal]\ncommand=/nope\nstartretries=0\n", "conf.d/done.ini": "[program:done]\ncommand=/bin/true\nstartsecs=0\nautorestart=false\n",
			},
			Steps: []oracle.Step{
				running("on"), oracle.Until("fatal", "FATAL"), oracle.Until("done", "EXITED"), scene("at the start", "status off on fatal"),
				scene("an update starts nothing that has not changed", "update"), scene("as before", "status off on fatal"),
				scene("started by hand", "start off"), put("off", catOf("off", "autostart=false", "stopwaitsecs=5")), scene("not started again by itself", "update"), scene("so it is", "status off"),
				scene("stopped by hand", "stop on"), put("on", catOf("on", "stopwaitsecs=5")), scene("started again", "update"), running("on"), scene("so it is", "status on"),
				put("fatal", catOf("fatal")), scene("a FATAL program that is mended", "reread", "update"), running("fatal"),
				put("fatal", "[program:fatal]\ncommand=/nope/nope\nstartretries=0\n"), scene("and broken again", "update"), oracle.Until("fatal", "FATAL"), scene("so it is", "status fatal", "add fatal", "remove fatal", "add fatal"), oracle.Until("fatal", "FATAL"),
				put("done", catOf("done")), scene("an EXITED program that goes on", "update done"), running("done"),
				put("off", catOf("off")), scene("autostart is turned on", "update"), running("off"),
				put("off", catOf("off", "autostart=false")), scene("and off", "update"), scene("so it is", "status off"),
				scene("removed by hand, its file is there", "stop on", "remove on", "status on", "reread", "avail"), scene("added by hand", "add on"), running("on"),
				scene("a restart takes the definition in force", "reread"), put("on", catOf("on", "stopwaitsecs=6")), scene("nothing but a restart", "reread", "restart on", "reread"), scene("and then", "update"), running("on"),
			},
		},
		{
			Name: "mistakes", Config: byHand,
			Together: namesMistakes,
			Files:    map[string]string{"conf.d/a.ini": catOf("a")},
			Steps: []oracle.Step{
				running("a"), put("b", "[program:b]\ncommand=/bin/cat\npriority=high\n"), scene("a wrong value", "reread", "update", "update a", "avail"),
				put("c", catOf("c")), scene("a good file beside it must wait", "update", "update c", "add c"),
				put("b", "[program:b]\n"), scene("no command", "reread", "update"),
				put("b", "[program:b]\ncommand=/bin/cat\nautorestart=perhaps\n"), scene("a wrong word", "reread"),
				put("b", "[program:b]\ncommand=%(ENV_NOT_THERE)s\n"), scene("an unknown variable", "reread"),
				put("b", "[program:b]\ncommand=/bin/cat\nnumprocs=2\n"), scene("two processes of one name", "reread"),
				put("b", "[program:b]\ncommand=/bin/cat\nuser=no-such-user\n"), scene("an unknown user", "reread"),
				put("b", "[program:b]\ncommand=/bin/cat\nstopsignal=NOPE\n"), scene("an unknown signal", "reread"),
				put("b", "[group:b]\nprograms=nothing\n"), scene("a group of nothing", "reread"),
				put("b", "[eventlistener:b]\ncommand=/bin/cat\n"), scene("a listener to nothing", "reread"),
				put("b", "[eventlistener:b]\ncommand=/bin/cat\nevents=NO_SUCH\n"), scene("a listener to an unknown event", "reread"),
				put("b", catOf("b")), scene("mended", "reread", "update"), running("b", "c"),
			},
		},
		{
			Name: "kinds", Config: byHand,
			Together: inPlace,
			Files:    map[string]string{"conf.d/a.ini": catOf("a"), "conf.d/l.ini": "[eventlistener:l]\ncommand=/bin/cat\nstartsecs=0\nevents=TICK_60\n"},
			Steps: []oracle.Step{
				running("a", "l"),
				put("l", "[eventlistener:l]\ncommand=/bin/cat\nstartsecs=0\nevents=TICK_60,TICK_3600\n"), scene("other events", "reread", "update"), running("l"),
				put("l", "[eventlistener:l]\ncommand=/bin/cat\nstartsecs=0\nevents= TICK_60 , TICK_3600\n"), scene("the same, spaced otherwise", "reread", "update"),
				put("l", "[eventlistener:l]\ncommand=/bin/cat\nstartsecs=0\nevents=TICK_60\nbuffer_size=20\n"), scene("another buffer", "reread", "update"), running("l"),
				put("a", "[eventlistener:a]\ncommand=/bin/cat\nstartsecs=0\nevents=TICK_60\n"), scene("a program becomes a listener", "reread", "update"), running("a"),
				put("a", catOf("a")), scene("and a program again", "reread", "update"), running("a"),
				put("a", catOf("a", "stdout_logfile={{.Dir}}/a.log")), scene("a log file", "reread", "update"), running("a"),
				put("a", catOf("a", "stdout_logfile=NONE")), scene("none", "reread", "update"), running("a"),
				oracle.Write("supervisord.conf", strings.Replace(byHand, "[supervisord]\n", "[supervisord]\nenvironment=X=1\n", 1)), scene("the daemon's environment concerns all", "reread", "update"), running("a", "l"),
				oracle.Write("supervisord.conf", strings.Replace(byHand, "[supervisord]\n", "[supervisord]\nenvironment=X=1\nminfds=2048\n", 1)), scene("its other keys concern none", "reread", "update"),
			},
		},
	})
}

// overtaken takes a step and waits until our daemon has done by itself what the original
// does at an update.
func overtaken(change oracle.Step) oracle.Step {
	return func(s *oracle.Session) {
		if s.Daemon.Kind == oracle.Debian {
			change(s)
			return
		}
		generation := func() any {
			state, err := s.Daemon.Call("reconcile.getState")
			if err != nil {
				s.T.Fatal(err)
			}
			return state.(map[string]any)["generation"]
		}
		before := generation()
		change(s)
		oracle.WaitFor(s.T, "the automatic update", func() bool { return generation() != before })
	}
}

// TestUpdatesAfterTheWatcher: whoever updates by hand a moment after an automatic update
// finds and reads what the original would have shown.
//
// Source: reconciler.md, When it does not act.
func TestUpdatesAfterTheWatcher(t *testing.T) {
	t.Parallel()
	const app = "[program:app]\ncommand={{.Dir}}/app\nstartsecs=0\nstartretries=0\n"
	const once = "[program:once]\ncommand=/bin/sh -c 'cat {{.Dir}}/data'\nstartsecs=0\nautorestart=false\n"
	watched := strings.Replace(byHand, "autoupdate=false", "settle=50ms\nsettle_removals=100ms\nmax_removals=100%", 1)
	install := func(s *oracle.Session) {
		s.Daemon.Write("app", "#!/bin/sh\nexec cat\n")
		if err := os.Chmod(filepath.Join(s.Daemon.Dir, "app"), 0o755); err != nil {
			s.T.Fatal(err)
		}
	}
	oracle.Run(t, "testdata/updates", []oracle.Row{{
		Name: "after-the-watcher", Config: watched,
		Files: map[string]string{"conf.d/old.ini": catOf("old")},
		Steps: []oracle.Step{
			running("old"),
			overtaken(put("app", app)), install, scene("its command came after its definition", "reread", "update"), running("app"), scene("once", "update", "reread"),
			overtaken(put("once", once)), oracle.Write("data", "x"), scene("a task whose data came after it", "reread", "update"), oracle.Until("once", "EXITED"), scene("it was run", "pid once"),
			overtaken(put("new", catOf("new"))), scene("added without a reread", "update"), running("new"), scene("and added", "add new"),
			overtaken(drop("old")), scene("a file is gone", "reread", "update", "status old"),
			overtaken(put("x", catOf("x"))), overtaken(drop("x")), scene("there and gone again", "reread", "update"),
			overtaken(put("y", catOf("y"))), scene("by name", "update y", "update y"), running("y"),
			overtaken(put("z", catOf("z"))), scene("by add", "reread", "add z", "add z"), running("z"),
			overtaken(drop("z")), scene("gone for good", "reread", "update", "remove z"),
		},
	}})
}
