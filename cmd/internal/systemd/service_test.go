package systemd

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRead: what is meant for the process is taken, and only that is kept from its
// children.
func TestRead(t *testing.T) {
	const pid = 42
	for name, tc := range map[string]struct {
		environ []string
		want    Service
		err     string
	}{
		"nobody": {},
		"a path": {
			environ: []string{"NOTIFY_SOCKET=/run/systemd/notify"},
			want:    Service{Notify: "/run/systemd/notify", Variables: []string{"NOTIFY_SOCKET"}},
		},
		"an abstract name": {
			environ: []string{"NOTIFY_SOCKET=@name"},
			want:    Service{Notify: "@name", Variables: []string{"NOTIFY_SOCKET"}},
		},
		"no address": {
			environ: []string{"NOTIFY_SOCKET=vsock:2:1"},
			err:     "NOTIFY_SOCKET=vsock:2:1 is ignored: it is neither an absolute path nor @ and a name",
		},
		"too long": {
			environ: []string{"NOTIFY_SOCKET=/" + strings.Repeat("x", 200)},
			err:     "NOTIFY_SOCKET=/" + strings.Repeat("x", 200) + " is ignored: it has 201 bytes, and the address of a socket may have ",
		},
		"watched": {
			environ: []string{"NOTIFY_SOCKET=@n", "WATCHDOG_USEC=30000000", "WATCHDOG_PID=42"},
			want:    Service{Notify: "@n", Watchdog: 30 * time.Second, Variables: []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}},
		},
		"whoever it is": {
			environ: []string{"NOTIFY_SOCKET=@n", "WATCHDOG_USEC=1"},
			want:    Service{Notify: "@n", Watchdog: time.Microsecond, Variables: []string{"NOTIFY_SOCKET", "WATCHDOG_USEC"}},
		},
		"another is watched": {
			environ: []string{"NOTIFY_SOCKET=@n", "WATCHDOG_USEC=30000000", "WATCHDOG_PID=43"},
			want:    Service{Notify: "@n", Variables: []string{"NOTIFY_SOCKET"}},
		},
		"watched, and nobody to tell": {environ: []string{"WATCHDOG_USEC=30000000", "WATCHDOG_PID=42"}},
		"for ever": {
			environ: []string{"NOTIFY_SOCKET=@n", "WATCHDOG_USEC=18446744073709551615", "WATCHDOG_PID=42"},
			want:    Service{Notify: "@n", Variables: []string{"NOTIFY_SOCKET"}},
			err:     "WATCHDOG_USEC=18446744073709551615 is ignored: not a number of microseconds",
		},
		"sockets": {
			environ: []string{"LISTEN_FDS=3", "LISTEN_PID=42", "LISTEN_FDNAMES=a.socket:b"},
			want: Service{Sockets: []Socket{{3, "a.socket"}, {4, "b"}, {5, ""}},
				Variables: []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}},
		},
		"another's sockets":   {environ: []string{"LISTEN_FDS=1", "LISTEN_PID=1"}},
		"sockets for whoever": {environ: []string{"LISTEN_FDS=1"}},
		"no number":           {environ: []string{"LISTEN_FDS=-1", "LISTEN_PID=42"}, err: "LISTEN_FDS=-1 is ignored: not a number of descriptors"},
	} {
		t.Run(name, func(t *testing.T) {
			got, errs := Read(func(key string) string {
				for _, v := range tc.environ {
					if value, is := strings.CutPrefix(v, key+"="); is {
						return value
					}
				}
				return ""
			}, pid)
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if said := fmt.Sprint(errs); len(errs) > 1 || (len(errs) == 1) != (tc.err != "") || !strings.HasPrefix(said, "["+tc.err) {
				t.Errorf("it says %s, want %s", said, tc.err)
			}
			text, err := json.Marshal(got)
			var again Service
			if err != nil || json.Unmarshal(text, &again) != nil || !reflect.DeepEqual(got, again) {
				t.Errorf("handed on it is %+v: %v", again, err)
			}
			left := got.Environ(append([]string{"HOME=/", "LISTEN=1"}, tc.environ...))
			for _, v := range tc.environ {
				key, _, _ := strings.Cut(v, "=")
				if slices.Contains(left, v) == slices.Contains(got.Variables, key) {
					t.Errorf("children get %q", left)
				}
			}
			if !slices.Contains(left, "HOME=/") || !slices.Contains(left, "LISTEN=1") {
				t.Errorf("children get %q", left)
			}
		})
	}
}

func TestSocketNames(t *testing.T) {
	for want, s := range map[string]Socket{"descriptor 3": {FD: 3}, "descriptor 4 (a.socket)": {4, "a.socket"}} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
