package capture

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestTail: of the output the last whole lines are known, however it came.
func TestTail(t *testing.T) {
	long := strings.Repeat("x", 3*tailBytes)
	for name, c := range map[string]struct {
		chunks []string
		want   []string
	}{
		"nothing":                         {nil, nil},
		"empty lines do not count":        {[]string{"\n \r\n"}, nil},
		"a line that is not over":         {[]string{"one\ntw", "o"}, []string{"one", "two"}},
		"the last three":                  {[]string{"1\n2\r\n3\n4\n"}, []string{"2", "3", "4"}},
		"a line that is too long":         {[]string{long}, []string{long[:tailBytes]}},
		"what is cut is left out":         {[]string{long + "\nend\n"}, []string{"end"}},
		"cut in one, whole in the other":  {[]string{long, "\nend\n"}, []string{"end"}},
		"a long line that ends":           {[]string{long + "\n"}, []string{long[:tailBytes-1]}},
		"two lines that are half of each": {[]string{long[:tailBytes/2] + "\n", long[:tailBytes/2] + "\n"}, []string{long[:tailBytes/2]}},
	} {
		var whole, bytewise tail
		for _, chunk := range c.chunks {
			whole.add([]byte(chunk))
			for i := range len(chunk) {
				bytewise.add([]byte{chunk[i]})
			}
		}
		for way, t1 := range map[string]*tail{"whole": &whole, "by byte": &bytewise} {
			if got := t1.lines(3); !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: %q, want %q", name, way, got, c.want)
			}
			if len(t1.end) >= 2*tailBytes {
				t.Errorf("%s, %s: %d bytes are kept", name, way, len(t1.end))
			}
		}
	}
	var many tail
	for i := range 100000 {
		many.add(fmt.Appendf(nil, "line %d\n", i))
	}
	if got := many.lines(2); !slices.Equal(got, []string{"line 99998", "line 99999"}) || cap(many.end) > 4*tailBytes {
		t.Errorf("%q, %d bytes", got, cap(many.end))
	}
}
