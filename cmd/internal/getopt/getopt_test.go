package getopt

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	testShort = "c:nhv?é:"
	testLong  = []string{"configuration=", "nodaemon", "nocleanup", "logfile=", "logfile_maxbytes=", "help", "umask=", "!checkup", "!confine="}
)

func TestParse(t *testing.T) {
	tests := []struct {
		name string
		args []string
		opts []Opt
		rest []string
	}{
		{"nothing", nil, nil, nil},
		{"a letter", []string{"-n"}, []Opt{{"-n", ""}}, []string{}},
		{"several letters at once", []string{"-nhv"}, []Opt{{"-n", ""}, {"-h", ""}, {"-v", ""}}, []string{}},
		{"a value at once", []string{"-cfile"}, []Opt{{"-c", "file"}}, []string{}},
		{"a value after letters", []string{"-ncfile"}, []Opt{{"-n", ""}, {"-c", "file"}}, []string{}},
		{"a value as the next argument", []string{"-c", "-n"}, []Opt{{"-c", "-n"}}, []string{}},
		{"a value that begins with =", []string{"-c=x"}, []Opt{{"-c", "=x"}}, []string{}},
		{"an empty value", []string{"-c", ""}, []Opt{{"-c", ""}}, []string{}},
		{"a letter beyond ASCII", []string{"-éx"}, []Opt{{"-é", "x"}}, []string{}},
		{"a question mark", []string{"-?"}, []Opt{{"-?", ""}}, []string{}},
		{"a word", []string{"--nodaemon"}, []Opt{{"--nodaemon", ""}}, []string{}},
		{"a word and =", []string{"--configuration=a=b"}, []Opt{{"--configuration", "a=b"}}, []string{}},
		{"a word and the next argument", []string{"--configuration", "a"}, []Opt{{"--configuration", "a"}}, []string{}},
		{"a word and an empty value", []string{"--configuration="}, []Opt{{"--configuration", ""}}, []string{}},
		{"a shortened word", []string{"--conf", "a"}, []Opt{{"--configuration", "a"}}, []string{}},
		{"a word that may not be shortened", []string{"--checkup"}, []Opt{{"--checkup", ""}}, []string{}},
		{"one with a value", []string{"--confine=x"}, []Opt{{"--confine", "x"}}, []string{}},
		{"a word that begins another", []string{"--logfile=x"}, []Opt{{"--logfile", "x"}}, []string{}},
		{"the first positional ends it", []string{"-n", "x", "-v"}, []Opt{{"-n", ""}}, []string{"x", "-v"}},
		{"two dashes end it", []string{"-n", "--", "-v"}, []Opt{{"-n", ""}}, []string{"-v"}},
		{"a lone dash is positional", []string{"-", "-n"}, nil, []string{"-", "-n"}},
		{"an option twice", []string{"-n", "-n"}, []Opt{{"-n", ""}, {"-n", ""}}, []string{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opts, rest, err := Parse(test.args, testShort, testLong)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.opts, opts); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.rest, rest); diff != "" {
				t.Errorf("rest (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--bogus"}, "option --bogus not recognized"},
		{[]string{"--bogus=x"}, "option --bogus not recognized"},
		{[]string{"-Z"}, "option -Z not recognized"},
		{[]string{"-nZ"}, "option -Z not recognized"},
		{[]string{"-:"}, "option -: not recognized"},
		{[]string{"-c"}, "option -c requires argument"},
		{[]string{"-nc"}, "option -c requires argument"},
		{[]string{"--configuration"}, "option --configuration requires argument"},
		{[]string{"--conf"}, "option --configuration requires argument"},
		{[]string{"--check"}, "option --check not recognized"},
		{[]string{"--checkup=x"}, "option --checkup must not have an argument"},
		{[]string{"--no"}, "option --no not a unique prefix"},
		{[]string{"--logf=x"}, "option --logf not a unique prefix"},
		{[]string{"--=x"}, "option -- not a unique prefix"},
		{[]string{"--nodaemon=1"}, "option --nodaemon must not have an argument"},
		{[]string{"--nod="}, "option --nodaemon must not have an argument"},
		{[]string{"-n", "--bogus", "x"}, "option --bogus not recognized"},
	}
	for _, test := range tests {
		opts, rest, err := Parse(test.args, testShort, testLong)
		if err == nil || err.Error() != test.want {
			t.Errorf("Parse(%q) = %v, %v, %v; want error %q", test.args, opts, rest, err, test.want)
		}
	}
}
