package spec

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
)

// mutator makes wrong and odd files of good ones.
type mutator struct {
	*rand.Rand
	others [][]byte // files from which sections are borrowed
}

// mutate changes a file in one way, or in up to four.
func (m *mutator) mutate(text []byte) []byte {
	text = bytes.Clone(text)
	for range 1 + m.IntN(2)*m.IntN(4) {
		text = mutations[m.IntN(len(mutations))](m, text)
	}
	return text
}

// mutations are the ways to change a file.
var mutations = []func(m *mutator, text []byte) []byte{
	// bytes
	func(m *mutator, text []byte) []byte { return m.splice(text, 1, m.pick(oddBytes)) },
	func(m *mutator, text []byte) []byte { return m.splice(text, 0, m.pick(oddBytes)) },
	func(m *mutator, text []byte) []byte { return m.splice(text, 1+m.IntN(4), "") },
	// lines
	onLines(func(m *mutator, lines []string, i int) []string { return slices.Delete(lines, i, i+1) }),
	onLines(func(m *mutator, lines []string, i int) []string {
		return slices.Insert(lines, i, lines[m.IntN(len(lines))])
	}),
	onLines(func(m *mutator, lines []string, i int) []string {
		j := m.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		return lines
	}),
	onLines(func(m *mutator, lines []string, i int) []string { return slices.Insert(lines, i, m.pick(oddLines)) }),
	onLine(func(m *mutator, line string) string { return m.pick(spaces) + line }),
	onLine(func(m *mutator, line string) string { return strings.TrimLeft(line, " \t") }),
	onLine(func(m *mutator, line string) string { return strings.TrimRight(line, "\r") + m.pick(tails) }),
	onLine(func(m *mutator, line string) string { return strings.ToUpper(line) }),
	// keys and values
	onOption(func(m *mutator, key, value string) string { return key + "=" + m.pick(oddValues) }),
	onOption(func(m *mutator, key, value string) string { return key + "=" + m.pick(oddValues) }),
	onOption(func(m *mutator, key, value string) string { return m.pick(allKeys) + "=" + value }),
	onOption(func(m *mutator, key, value string) string { return m.pick(allKeys) + "=" + m.pick(oddValues) }),
	onOption(func(m *mutator, key, value string) string { return key + m.pick(delimiters) + value }),
	onOption(func(m *mutator, key, value string) string { return key + "=" + value + m.pick(tails) }),
	onOption(func(m *mutator, key, value string) string { return key + "=" + m.pick(oddValues) + value }),
	onOption(func(m *mutator, key, value string) string {
		return key + "=" + value + "\n" + m.pick(allKeys) + "=" + m.pick(oddValues)
	}),
	func(m *mutator, text []byte) []byte { // swap two values
		lines := strings.Split(string(text), "\n")
		i, j := m.option(lines), m.option(lines)
		if i < 0 || j < 0 {
			return text
		}
		ki, vi, _ := strings.Cut(lines[i], "=")
		kj, vj, _ := strings.Cut(lines[j], "=")
		lines[i], lines[j] = ki+"="+vj, kj+"="+vi
		return []byte(strings.Join(lines, "\n"))
	},
	// sections
	onHeader(func(m *mutator, name string) string { return "[" + m.pick(sectionPrefixes) + name + "]" }),
	onHeader(func(m *mutator, name string) string {
		_, id, _ := strings.Cut(name, ":")
		return "[" + m.pick(sectionPrefixes) + id + "]"
	}),
	onHeader(func(m *mutator, name string) string { return "[" + name + "]" + m.pick(tails) }),
	onHeader(func(m *mutator, name string) string {
		return "[" + name + "]\n" + m.pick(allKeys) + "=" + m.pick(oddValues)
	}),
	func(m *mutator, text []byte) []byte { // borrow a section
		other := string(m.others[m.IntN(len(m.others))])
		at := strings.Index(other[m.IntN(len(other)):], "\n[")
		if at < 0 {
			return text
		}
		borrowed, _, _ := strings.Cut(other[at+1:], "\n\n[")
		return append(append(text, '\n'), borrowed...)
	},
	// the whole file
	func(m *mutator, text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) },
	func(m *mutator, text []byte) []byte { return bytes.TrimRight(text, "\n") },
	func(m *mutator, text []byte) []byte { return append([]byte("\ufeff"), text...) },
	func(m *mutator, text []byte) []byte { return text[:m.IntN(len(text)+1)] },
	func(m *mutator, text []byte) []byte {
		return append([]byte("[DEFAULT]\n"+m.pick(allKeys)+"="+m.pick(oddValues)+"\n"), text...)
	},
}

func (m *mutator) pick(list []string) string { return list[m.IntN(len(list))] }

// splice replaces n bytes somewhere.
func (m *mutator) splice(text []byte, n int, with string) []byte {
	at := m.IntN(len(text) + 1)
	return slices.Concat(text[:at], []byte(with), text[min(at+n, len(text)):])
}

// option is the index of some line that looks like an option, or -1.
func (m *mutator) option(lines []string) int {
	return m.find(lines, func(line string) bool {
		key, _, ok := strings.Cut(line, "=")
		return ok && key != "" && !strings.ContainsAny(key, ";#[ ")
	})
}

// find is the index of some line that is wanted, or -1.
func (m *mutator) find(lines []string, wanted func(string) bool) int {
	start := m.IntN(len(lines))
	for i := range lines {
		if at := (start + i) % len(lines); wanted(lines[at]) {
			return at
		}
	}
	return -1
}

func onLines(change func(m *mutator, lines []string, i int) []string) func(*mutator, []byte) []byte {
	return func(m *mutator, text []byte) []byte {
		lines := strings.Split(string(text), "\n")
		return []byte(strings.Join(change(m, lines, m.IntN(len(lines))), "\n"))
	}
}

func onLine(change func(m *mutator, line string) string) func(*mutator, []byte) []byte {
	return onLines(func(m *mutator, lines []string, i int) []string {
		lines[i] = change(m, lines[i])
		return lines
	})
}

func onOption(change func(m *mutator, key, value string) string) func(*mutator, []byte) []byte {
	return onLines(func(m *mutator, lines []string, _ int) []string {
		if i := m.option(lines); i >= 0 {
			key, value, _ := strings.Cut(lines[i], "=")
			lines[i] = change(m, key, value)
		}
		return lines
	})
}

func onHeader(change func(m *mutator, name string) string) func(*mutator, []byte) []byte {
	return onLines(func(m *mutator, lines []string, _ int) []string {
		i := m.find(lines, func(line string) bool { return strings.HasPrefix(line, "[") })
		if i >= 0 {
			name, _, _ := strings.Cut(lines[i][1:], "]")
			lines[i] = change(m, name)
		}
		return lines
	})
}

var (
	oddBytes = strings.Split("\x00|\t|\n|\r| |\"|#|%|'|(|)|,|.|/|0|1|9|:|;|=|A|[|\\|]|_|`|a|s|~|-|\v|\f|\x1c|\x1f|\x7f|\u0085|\u00a0|é|\u2028|\U0001f600|\xff|\xc3|\xed\xa0\x80", "|")
	spaces   = []string{" ", "  ", "\t", "\u00a0", "\v", " \t "}
	tails    = []string{";x", " ;x", "\t;x", " #x", "#x", " ; x # y", "a;b ;c #d", " \\", "\\", " ", "\t", "%", "%%", "%(here)s", ",", ", ", "]", "\"", "'", "\n", "\n x", "\n\n x", "\n ;x\n y", "\u00a0;x"}
	oddLines = []string{"", " ", ";", "#", " ;x", "k", "=", "=v", "k=", ":", "k:v", "[", "]", "[]", "[x", "[x]y", " [x]", " k=v", "\tk=v",
		"rem x", "; x = y", "[DEFAULT]", "[default]", "[supervisord]", "[include]", "files=*.x", "[group:g]", "programs=a,b", "environment=A=1", "k = v = w", "k==v", "user=root", "\f", "\x1c"}
	oddValues = []string{"", "0", "1", "-1", "+1", "007", "1_0", " 1 ", "1.5", "1e3", "99999999999999999999", "256", "0,256", "0,2", ",", "x", "yes", "No", "TRUE",
		"unexpected", "always", "TERM", "SIGTERM", "sig_ign", "9", "32", "64", "info", "WARNING", "debug", "1KB", "1 mb", "1b", "KB", "022", "0o22", "8", "-022",
		"%", "%%", "%%%%", "%(here)s", "%(here)", "%(nope)s", "%(ENV_HOME)s", "%(ENV_NOPE)s", "%(program_name)s", "%(process_num)02d", "%(process_num)s", "%(group_name)s",
		"%(host_node_name)s", "%(numprocs)d", "%d", "%s", "%%(here)s", "%(program_name)s_%(process_num)d",
		"AUTO", "auto", "NONE", "off", "syslog", "~", "~/x", "~nosuch/x", "/tmp/a b", "a/b", "./x", "../x", "/", "//x", "/a%%b",
		"root", "nobody:nogroup", "root:", "0", "70000", "no such", ":", "80", ":80", "*:80", "h:80", "h:", "h:x", "h:0", "h:70000",
		"unix:///tmp/x.sock", "unix://x", "tcp://localhost:9000", "tcp://:9000", "tcp://h:0", "http://x",
		`A=1,B="2"`, "A=1,", "A", "A=", `A="x`, "A=$B", "A=b#c", "A=1;B=2", `A="x,y",B='z'`, "a,b", "a, b ,c", "EVENT", "TICK_5,TICK_60", "PROCESS_STATE,", "foo",
		"{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d", "it's", `"quoted"`, "é", "a\\b", "cat 'x", "cat x\\", "*.conf", "conf.d/*.conf", "supervisor.dispatchers:default_handler",
		"supervisor.rpcinterface:make_main_rpcinterface", "x y z", "x:y", "a:b:c"}
	delimiters      = []string{":", " = ", " : ", "= ", " =", "==", ":=", "=:", "\t=\t", " ", "\u00a0=\u00a0"}
	sectionPrefixes = []string{"program:", "eventlistener:", "fcgi-program:", "group:", "rpcinterface:", "ctlplugin:", "unix_http_server", "inet_http_server",
		"supervisord", "include", "program", "program: ", "x:", "Program:", "supervisord:"}
	// allKeys are those that Supervisor knows too, and some in another case.
	allKeys = slices.DeleteFunc(slices.Concat(daemonKeys, unixKeys, inetKeys, listenerKeys, fastCGIKeys, groupKeys, includeKeys,
		[]string{"supervisor.rpcinterface_factory", "COMMAND", "Autostart"}), func(key string) bool {
		return slices.Contains([]string{"survivors", "subreaper", "reply_memory", "certfile", "keyfile", "client_ca", "dependent_startup", "exit_when", "shutdown_timeout", "stall_timeout", "metrics"}, key) ||
			slices.ContainsFunc(processFields, func(f field[Process]) bool { return f.ours && f.name == key })
	})
)
