package runtime

import (
	"errors"
	"testing"
)

// next has the table of a Supervisor go on in another one, by way of what is written down.
func next(t testing.TB, s *Supervisor, o Options) *Supervisor {
	t.Helper()
	h, err := s.HandOver(background)
	if err != nil {
		t.Fatal(err)
	}
	data, err := h.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckHandover(data); err != nil {
		t.Fatal(err)
	}
	if o.From, err = ReadHandover(data, h.Files()); err != nil {
		t.Fatal(err)
	}
	return New(o)
}

// What is stopped is in the next table as it was, and only there.
func TestHandOverStopped(t *testing.T) {
	first := New(Options{})
	ended := make(chan error, 2)
	go func() { ended <- first.Run(background) }()
	for _, name := range []string{"b", "a"} {
		if err := first.SetGroup(background, nil, program(name, nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	second := next(t, first, Options{})
	if err := <-ended; err != ErrHandedOver {
		t.Fatal(err)
	}
	_, err := first.Start(background, one("a"), true)
	if refused, is := errors.AsType[*Error](err); !is || refused.Kind != Upgrading {
		t.Errorf("the one before answers %v", err)
	}
	go func() { ended <- second.Run(background) }()
	groups, err := second.Groups(background)
	if err != nil || len(groups) != 2 || groups[0].Group.Name != "b" || groups[1].Group.Name != "a" {
		t.Errorf("%v, %v", groups, err)
	}
	if err := second.Shutdown(background); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
