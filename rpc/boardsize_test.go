package rpc

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"supervisord/rpc/page"
	"supervisord/runtime"
	"supervisord/runtime/state"
	"supervisord/runtime/usage"
)

// crowded is a server with a thousand programs, and a request for its page.
func crowded(t testing.TB) (*fakeDaemon, *Server, *http.Request) {
	t.Helper()
	w := newFakeDaemon(t, "")
	w.procs = w.procs[:0]
	started := time.Now().Add(-time.Hour)
	for i := range 1000 {
		p := runtime.Info{
			Group: fmt.Sprintf("service%03d", i/2), Name: fmt.Sprintf("service%03d_%d", i/2, i%2), State: state.Running,
			PID: 10000 + i*7, Start: started.Add(time.Duration(i*i) * time.Millisecond), Starts: int64(1 + i%5),
		}
		if i%10 == 3 {
			p.State, p.PID, p.SpawnErr, p.LastEnd = state.Fatal, 0, "Exited too quickly (process log may have details)", &runtime.End{How: fmt.Sprint("exit status ", i%256)}
		}
		w.procs = append(w.procs, &fakeProcess{Info: p})
	}
	o := w.options(t.TempDir())
	o.Extra = []Namespace{ReconcileNamespace(fakeReconciler{})}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Encoding", "gzip")
	return w, New(o), r
}

// busyHistory is a quarter of an hour of a thousand programs, one in five of which does
// something.
func busyHistory(of []*fakeProcess) *usage.History {
	h := &usage.History{Of: make(map[usage.Process][]usage.Point)}
	dice := rand.New(rand.NewPCG(1, 2))
	begun := time.Now()
	for i := range 90 {
		h.Times = append(h.Times, begun.Add(time.Duration(i-90)*usage.Interval))
		for n, p := range of {
			one := usage.Point{Resident: int64(5+n%200) << 20}
			if n%5 == 0 {
				one.CPU = dice.Float32()
			}
			p := usage.Process{Group: p.Group, Name: p.Name}
			h.Of[p] = append(h.Of[p], one)
		}
	}
	return h
}

// TestPageIsSmall: the page of a thousand programs, with all that belongs to it, has less
// than 150 KB on the wire, graphs and all.
func TestPageIsSmall(t *testing.T) {
	w, s, r := crowded(t)
	total := 0
	o, err := s.overall(r.Context())
	if err != nil {
		t.Fatal(err)
	}
	drawn := page.Overview{Total: len(o.rows), Items: page.Items(o.rows)}
	drawn.Now = time.Now()
	page.WithFigures(drawn.Items, busyHistory(w.procs))
	page := httptest.NewRecorder()
	s.draw(page, r, http.StatusOK, drawn)
	total += page.Body.Len()
	for _, name := range []string{"/page.css", "/page.js", "/icon.svg"} {
		file := httptest.NewRecorder()
		ask := httptest.NewRequest("GET", name, nil)
		ask.Header.Set("Accept-Encoding", "gzip")
		(&httpServer{server: s}).serveFile(file, ask)
		total += file.Body.Len()
	}
	if most := 150_000; page.Code != 200 || page.Body.Len() == 0 || total > most {
		t.Errorf("%d, %d bytes, %d of them the page itself", page.Code, total, page.Body.Len())
	}
	t.Logf("%d bytes, %d of them the page itself", total, page.Body.Len())
}

// BenchmarkOverview is one page of a thousand programs.
func BenchmarkOverview(b *testing.B) {
	_, s, r := crowded(b)
	for b.Loop() {
		s.serveOverview(httptest.NewRecorder(), r)
	}
}

// BenchmarkUpdate is one change among a thousand programs, drawn for all pages and written
// for twenty.
func BenchmarkUpdate(b *testing.B) {
	w, s, r := crowded(b)
	d, err := s.board.draw(r.Context(), nil, true)
	if err != nil {
		b.Fatal(err)
	}
	streams := make([]liveStream, 20)
	for i := range streams {
		streams[i] = liveStream{page: "overview"}
	}
	for b.Loop() {
		w.procs[500].Starts++
		next, err := s.board.draw(r.Context(), d, false)
		if err != nil || next == d {
			b.Fatal(err)
		}
		for i := range streams {
			streams[i].seen = d.version
			io.Discard.Write(streams[i].news(next))
		}
		d.account.end()
		d = next
	}
}

// BenchmarkNothingNew is a look at a thousand programs of which none has changed.
func BenchmarkNothingNew(b *testing.B) {
	_, s, r := crowded(b)
	d, err := s.board.draw(r.Context(), nil, true)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if next, err := s.board.draw(r.Context(), d, false); err != nil || next != d {
			b.Fatal(err)
		}
	}
}
