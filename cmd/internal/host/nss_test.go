package host

import (
	"context"
	"errors"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/spec"
)

// fakeNSS answers as getent does, by its arguments.
type fakeNSS struct {
	answers map[string]string
	asked   []string
	hang    bool
	status  int
	err     error
}

func (f *fakeNSS) run(ctx context.Context, argv ...string) ([]byte, int, error) {
	question := strings.Join(argv[1:], " ")
	f.asked = append(f.asked, question)
	if f.hang {
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}
	if text, ok := f.answers[question]; ok {
		return []byte(text), 0, nil
	}
	if f.status == 0 && f.err == nil {
		return nil, 2, nil
	}
	return nil, f.status, f.err
}

func (f *fakeNSS) host() *Host {
	h := NewWithNSS(f.run)
	h.nss.paths = []string{"/no/getent", "/bin/sh"} // it is there; the fake runs
	return h
}

var directory = map[string]string{
	"passwd -- ldap-user":     "ldap-user:x:70001:70002:Someone:/net/home/someone:/bin/sh\n",
	"initgroups -- ldap-user": "ldap-user            70003 70002 70004\n",
	"passwd -- 70001":         "ldap-user:x:70001:70002::/net/home/someone:/bin/sh\n",
	"group -- staff-x":        "staff-x:*:70005:a,b\n",
	"group -- 70005":          "staff-x:*:70005:\n",
	"passwd -- odd":           "other:x:1:1::/:/bin/sh\n",
	"passwd -- short":         "short:x:1\n",
	"passwd -- minus":         "minus:x:-1:-1::/:/bin/sh\n",
	"passwd -- nogroups":      "nogroups:x:70009:70009::/:/bin/sh\n",
	"passwd -- root":          "root:x:666:666::/tmp:/bin/sh\n",
}

func TestNSS(t *testing.T) {
	f := &fakeNSS{answers: directory}
	h := f.host()
	want := spec.Account{Name: "ldap-user", UID: 70001, GID: 70002, Groups: []int{70003, 70004}}
	if a, err := h.LookupUser("ldap-user"); err != nil || !reflect.DeepEqual(a, want) {
		t.Errorf("LookupUser = %+v, %v; want %+v", a, err, want)
	}
	want.Name = "70001"
	if a, err := h.LookupUser("70001"); err != nil || !reflect.DeepEqual(a, want) {
		t.Errorf("LookupUser(70001) = %+v, %v; want %+v", a, err, want)
	}
	for _, name := range []string{"staff-x", "70005"} {
		if gid, err := h.LookupGroup(name); err != nil || gid != 70005 {
			t.Errorf("LookupGroup(%s) = %d, %v", name, gid, err)
		}
	}
	if dir, err := h.Home("ldap-user"); err != nil || dir != "/net/home/someone" {
		t.Errorf("Home = %s, %v", dir, err)
	}
	for _, name := range []string{"missing", "odd", "short", "minus", "nogroups", "", "a:b", "a\nb", "-s"} {
		if a, err := h.LookupUser(name); err == nil {
			t.Errorf("LookupUser(%q) = %+v, want none", name, a)
		}
	}
	if root, err := h.LookupUser("root"); err != nil || root.UID != 0 {
		t.Errorf("root is %+v: the account files come first", root)
	}
	for _, question := range f.asked {
		if strings.Contains(question, "root") || !strings.Contains(question, " -- ") {
			t.Errorf("getent was asked %q", question)
		}
	}
	if at := h.RetryAt(); !at.IsZero() {
		t.Errorf("all was answered, and another look is asked for at %v", at)
	}
}

// One that hangs costs five seconds altogether, then it has a rest, and then it is asked
// again. So is one that fails.
func TestNSSFails(t *testing.T) {
	reasons := []string{"/bin/sh has not answered within 5s", "/bin/sh cannot be run: no such file", "/bin/sh failed with exit status 1", "/bin/sh failed with exit status 3"}
	for i, f := range []*fakeNSS{{hang: true}, {err: errors.New("no such file")}, {status: 1}, {status: 3}} {
		synctest.Test(t, func(t *testing.T) {
			h, begun := f.host(), time.Now()
			for _, name := range []string{"ldap-user", "b", "c", "d"} {
				var open *spec.Unanswered
				if _, err := h.LookupUser(name); !errors.As(err, &open) || open.Reason != reasons[i] || open.Again != nssRest {
					t.Errorf("%+v: %s is there, or not: %v", f, name, err)
				}
				if _, err := h.LookupGroup(name); !errors.As(err, &open) {
					t.Errorf("%+v: the group %s is there, or not: %v", f, name, err)
				}
				if _, err := h.Home(name); !errors.As(err, &open) {
					t.Errorf("%+v: %s has a home, or not: %v", f, name, err)
				}
			}
			took := time.Since(begun)
			if len(f.asked) != 1 || f.hang && took != nssPatience || !f.hang && took != 0 {
				t.Errorf("%+v: it took %v", f, took)
			}
			if at := h.RetryAt(); time.Until(at) != nssRest {
				t.Errorf("%+v: another look is asked for in %v", f, time.Until(at))
			}
			time.Sleep(nssRest)
			f.hang, f.err, f.status, f.answers = false, nil, 0, directory
			if _, err := h.LookupUser("ldap-user"); err != nil || !h.RetryAt().IsZero() {
				t.Errorf("%+v: it is not asked again", f)
			}
			// Who was known stays so while nobody answers, and no longer.
			f.status, f.answers = 1, nil
			for range 2 {
				if a, err := h.LookupUser("ldap-user"); err != nil || a.UID != 70001 || len(a.Groups) != 2 || h.RetryAt().IsZero() {
					t.Errorf("%+v: he is %+v, %v", f, a, err)
				}
			}
			time.Sleep(nssRest)
			f.status = 0
			if _, err := h.LookupUser("ldap-user"); !errors.Is(err, spec.ErrNoAccount) {
				t.Errorf("%+v: he is there although nobody knows him: %v", f, err)
			}
		})
	}
}

// All of a load have five seconds together, and the next load has them anew.
func TestNSSIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeNSS{answers: directory}
		h := f.host()
		h.nss.run = func(ctx context.Context, argv ...string) ([]byte, int, error) {
			select {
			case <-time.After(900 * time.Millisecond):
				return f.run(ctx, argv...)
			case <-ctx.Done():
				return nil, 0, ctx.Err()
			}
		}
		for load := range 3 {
			for range 5 {
				if _, err := h.LookupGroup("staff-x"); err != nil {
					t.Errorf("load %d: a slow answer does not count", load)
				}
			}
			time.Sleep(2 * nssPause)
		}
		begun := time.Now()
		for range 20 {
			h.LookupGroup("staff-x")
		}
		if took := time.Since(begun); took != nssPatience {
			t.Errorf("it took %v, want %v", took, nssPatience)
		}
	})
}

// Without getent, and in programs that run nothing, the account files are all there is.
func TestWithoutGetent(t *testing.T) {
	f := &fakeNSS{answers: directory}
	h := f.host()
	h.nss.paths = []string{"/no/getent", "/tmp"}
	for _, h := range []*Host{h, New()} {
		if _, err := h.LookupUser("ldap-user"); err == nil || !h.RetryAt().IsZero() {
			t.Error("an account comes from nowhere")
		}
		if _, err := h.LookupUser("root"); err != nil {
			t.Error("no root")
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("asked %q", f.asked)
	}
}

// The real getent takes these arguments.
func TestRealGetent(t *testing.T) {
	path, err := exec.LookPath("getent")
	if err != nil {
		lacks(t, err)
	}
	run := func(_ context.Context, argv ...string) ([]byte, int, error) {
		cmd := exec.Command(path, argv[1:]...)
		out, err := cmd.Output()
		if cmd.ProcessState == nil {
			return nil, 0, err
		}
		return out, cmd.ProcessState.ExitCode(), nil
	}
	n := &nss{run: run, paths: []string{path}}
	if a, err := n.user("root"); err != nil || a.UID != 0 {
		t.Errorf("root is %+v, %v", a, err)
	}
	if gid, err := n.group("root"); err != nil || gid != 0 {
		t.Errorf("group root is %d, %v", gid, err)
	}
	if _, err := n.user("-no such user"); err == nil || !n.retryAt.IsZero() {
		t.Errorf("an unknown name: %v, another look at %v", err, n.retryAt)
	}
}
