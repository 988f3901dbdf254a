package spec

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/spec/value"
)

// difference is a reason why Load may answer otherwise than Supervisor 4.2.5.
type difference struct {
	name     string
	sentence string
	// readme is how differences.md says it, "" for what no user can see.
	readme   string
	explains func(m *mutant, ours, theirs loadResult) bool
}

// differences are all there are. The rows named in their sentences are those of
// contract/differences.md section 3.
var differences = []difference{
	{
		"first comment sign",
		"of several comment signs on a line the leftmost that follows a space ends the value, as in later Pythons; " +
			"Supervisor looks at the first ; and the first # before any second one (row 50)",
		"the leftmost that follows a space begins the comment",
		func(m *mutant, _, _ loadResult) bool {
			return anyLine(m, func(line string) bool { return leftmostCut(line) != roundsCut(line) })
		},
	},
	{
		"doubled percent before (here)s",
		"%%(here)s is a percent sign and a word everywhere; in Supervisor it becomes a broken format as soon as there is an " +
			"[include] section (row 40)",
		"`%%(here)s` is a percent sign and a word everywhere",
		func(m *mutant, _, _ loadResult) bool { return strings.Contains(string(m.content), "%%(here)s") },
	},
	{
		"log names expanded once",
		"the name of a log is expanded once, so %% is a percent sign in it as everywhere; Supervisor expands it twice (row 39)",
		"Log file names are expanded once",
		func(_ *mutant, _, theirs loadResult) bool {
			return regexp.MustCompile(` for '(stdout|stderr)_logfile' (is badly formatted|contains names)`).MatchString(theirs.err)
		},
	},
	{
		"[supervisord] environment expanded once",
		"as in later versions of Supervisor it is expanded once, and may use host_node_name; 4.2.5 expands it twice",
		"and so is `[supervisord] environment`",
		func(m *mutant, ours, theirs loadResult) bool {
			const names = "for 'supervisord.environment' contains names ("
			return strings.Contains(theirs.err, names) && (strings.Contains(ours.err, names) ||
				strings.Contains(theirs.err, names+"'host_node_name')")) ||
				strings.Contains(theirs.err, " for 'environment' ") && !strings.Contains(theirs.err, " in section '")
		},
	},
	{
		"a lone %s",
		"%s without a name is an error; in Supervisor it becomes a dump of every name and value",
		"A lone `%s` without a name is an error",
		func(m *mutant, ours, _ loadResult) bool {
			return strings.Contains(ours.err, "not enough arguments for format string") && regexp.MustCompile(`%[-+ #0]*[0-9]*(\.[0-9]*)?[hlL]?[sra]`).Match(m.content)
		},
	},
	{
		"section of an unknown member",
		"an unknown name in programs= is told with the group that names it; in Supervisor the second and later ones are told " +
			"with the section of the member before (row 46)",
		"An unknown name in `programs=` is reported with the group that names it",
		func(_ *mutant, ours, theirs loadResult) bool {
			const what = "names unknown program or fcgi-program "
			_, our, ok := strings.Cut(ours.err, what)
			_, their, too := strings.Cut(theirs.err, what)
			return ok && too && our == their && strings.HasPrefix(ours.err, "[group:")
		},
	},
	{
		"socket of a member",
		"an fcgi-program keeps its socket in a [group:x], so it must have one there too (row 19)",
		"An fcgi-program keeps its socket in a `[group:x]`, so it must have a valid one there too",
		func(m *mutant, ours, _ loadResult) bool {
			return strings.HasPrefix(ours.err, "[fcgi-program:") && strings.Contains(ours.err, "socket") &&
				strings.Contains(string(m.content), "[group:")
		},
	},
	{
		"empty directory",
		"an empty name is no directory; so it is in Supervisor, but not where the recorder stands in for the machine",
		"",
		func(_ *mutant, ours, _ loadResult) bool { return ours.err == " is not an existing directory" },
	},
	{
		"NUL in a pattern",
		"a directory whose name has a NUL cannot be listed; so it is in Supervisor, but not where the recorder stands in for the machine",
		"",
		func(_ *mutant, ours, theirs loadResult) bool {
			return ours.err == "embedded null byte" && theirs.state != nil
		},
	},
	{
		"socket texts",
		"a bad socket= is told in words; Supervisor prints a Python tuple (row 47)",
		"A bad `socket=` is reported in plain words",
		func(_ *mutant, ours, theirs loadResult) bool {
			parts := regexp.MustCompile(`^\('([^']*)%s([^']*)', (.*)\)( in \[.*\] socket)$`).FindStringSubmatch(theirs.err)
			if parts == nil {
				return false
			}
			before, after, place := parts[1], parts[2], parts[4]
			shown, ok := strings.CutPrefix(strings.TrimSuffix(ours.err, after+place), before)
			return ok && value.PyRepr(shown) == parts[3]
		},
	},
	{
		"malformed Python reference",
		"told as one that cannot be resolved, as in 4.3.0",
		"malformed ones in the same words, as in 4.3.0",
		func(_ *mutant, ours, theirs loadResult) bool {
			return strings.HasPrefix(theirs.err, `("EntryPoint must be in `) && strings.Contains(ours.err, " cannot be resolved within [")
		},
	},
	{
		"other Python references",
		"of Supervisor's own objects only the two standard ones can be resolved, and only as they are written in its manual; " +
			"Supervisor imports whatever there is, and passes over names in brackets after it (contract/differences.md section 4)",
		"Python references other than the two of Supervisor's manual are refused",
		func(_ *mutant, ours, _ loadResult) bool {
			return regexp.MustCompile(`(?s)^=?supervisor\b.* cannot be resolved within \[`).MatchString(ours.err)
		},
	},
	{
		"options of the RPC interface",
		"an option of the standard RPC interface, which takes none, is told with all else that is wrong with the files; " +
			"Supervisor reads it and ends when it makes its servers",
		"Options of the standard RPC interface, which takes none, are reported with all other mistakes",
		func(_ *mutant, ours, theirs loadResult) bool {
			return theirs.state != nil && strings.HasPrefix(ours.err, "Could not make ") && strings.HasSuffix(ours.err, " rpc interface")
		},
	},
	{
		"names taken twice",
		"two groups of one name, two processes of one name in a group, and a member named twice are mistakes; Supervisor runs " +
			"one of the two (row 45)",
		"and so is a member named twice",
		func(_ *mutant, ours, _ loadResult) bool {
			return regexp.MustCompile(`^the (group|process) name .* is already used |^\[group:.*\] names .* twice`).MatchString(ours.err)
		},
	},
	{
		"signal constants",
		"SIG_IGN, SIG_DFL and other constants of Python's signal module that are no signals are refused (row 44)",
		"`SIG_IGN`, `SIG_DFL` and other constants that are not signals are refused as `stopsignal`",
		func(_ *mutant, ours, _ loadResult) bool {
			return regexp.MustCompile(`(?i)^value '\s*(sig)?_(ign|dfl|block|unblock|setmask)\s*' is not a valid signal name`).MatchString(ours.err)
		},
	},
	{
		"umask of -1",
		"umask=-1 is read as 0777, which is what the system makes of it",
		"`umask=-1` is read as 0777",
		func(m *mutant, ours, theirs loadResult) bool {
			return theirs.state != nil && ours.state != nil && regexp.MustCompile(`(?i)umask\s*[=:]\s*-[0_]*1\b`).Match(m.content)
		},
	},
	{
		"numbers beyond 64 bits",
		"the nearest number within 64 bits stands for them",
		"Numbers beyond 64 bits become the nearest that fits",
		func(m *mutant, _, _ loadResult) bool {
			digits := 19
			if strconv.IntSize == 32 { // a 32-bit build holds most numbers in as many bits
				digits = 10
			}
			return regexp.MustCompile(fmt.Sprintf("[0-9][0-9_]{%d}", digits-1)).Match(m.content)
		},
	},
	{
		"moot warnings",
		"nothing is said about a stderr log that is never written, because redirect_stderr is set or its name is empty (row 51)",
		"The log does not mention a stderr log that is never written",
		func(_ *mutant, ours, theirs loadResult) bool {
			return sameButWarnings(theirs, ours, regexp.MustCompile(`AUTO logging used for stderr_logfile|stderr_logfile has also been set`))
		},
	},
	{
		"unreadable included files",
		"a directory that an include pattern matches, or a file that cannot be read, is passed over with a warning; Supervisor " +
			"says nothing (row 48)",
		"unreadable included files and other likely mistakes cause a warning in the log",
		func(_ *mutant, ours, theirs loadResult) bool {
			return sameButWarnings(ours, theirs, regexp.MustCompile(`^Could not read included file `))
		},
	},
}

// sameButWarnings reports whether two sides accept with the same result, once
// some warnings of the one that the other does not have are left out.
func sameButWarnings(more, less loadResult, moot *regexp.Regexp) bool {
	a, ok := more.state.(map[string]any)
	b, too := less.state.(map[string]any)
	if !ok || !too {
		return false
	}
	a = maps.Clone(a)
	a["parse_warnings"] = slices.DeleteFunc(slices.Clone(a["parse_warnings"].([]any)), func(w any) bool {
		return moot.MatchString(w.(string)) && !slices.Contains(b["parse_warnings"].([]any), w)
	})
	return cmp.Equal(a, b)
}

// TestEveryDifferenceIsListed checks that users are told of every row.
func TestEveryDifferenceIsListed(t *testing.T) {
	text, err := os.ReadFile("../cmd/supervisord/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Join(strings.Fields(string(text)), " ")
	for _, d := range differences {
		if !strings.Contains(list, d.readme) {
			t.Errorf("differences.md does not say of %s: %s", d.name, d.readme)
		}
	}
}

// anyLine reports whether a line of a mutant, or of what it is included by, has a
// property.
func anyLine(m *mutant, has func(string) bool) bool {
	return slices.ContainsFunc(strings.FieldsFunc(string(m.content), func(r rune) bool { return r == '\n' || r == '\r' }), has)
}

// leftmostCut is where a comment begins by our rule; -1 if there is none.
func leftmostCut(line string) int {
	for i, r := range line {
		if (r == ';' || r == '#') && opensComment(line, i) {
			return i
		}
	}
	return -1
}

// roundsCut is where a comment begins by Supervisor's: the k-th occurrences of
// both signs are looked at together.
func roundsCut(line string) int {
	from := map[byte]int{';': 0, '#': 0}
	for len(from) > 0 {
		cut := -1
		for sign := range from {
			i := strings.IndexByte(line[from[sign]:], sign)
			if i < 0 {
				delete(from, sign)
				continue
			}
			i += from[sign]
			from[sign] = i + 1
			if opensComment(line, i) && (cut < 0 || i < cut) {
				cut = i
			}
		}
		if cut >= 0 {
			return cut
		}
	}
	return -1
}

// opensComment reports whether a sign may begin a comment where it stands.
func opensComment(line string, i int) bool {
	if i == 0 {
		return true
	}
	before := []rune(line[:i])
	return value.IsSpace(before[len(before)-1])
}
