package page

import (
	"testing"
	"time"

	"supervisord/runtime/usage"
)

// TestGraph: a graph shows a peak where it was; of what did nothing there is none.
func TestGraph(t *testing.T) {
	begun := time.Unix(1_800_000_000, 0) // where a column begins
	web := usage.Process{Group: "web", Name: "web"}
	history := func(cpu ...float32) *usage.History {
		h := &usage.History{Of: map[usage.Process][]usage.Point{}}
		for i, one := range cpu {
			h.Times = append(h.Times, begun.Add(time.Duration(i)*usage.Interval))
			h.Of[web] = append(h.Of[web], usage.Point{CPU: one, Resident: 24 << 20})
		}
		return h
	}
	flat := make([]float32, 90)
	peak := append([]float32(nil), flat...)
	peak[45] = 1.5
	little := append([]float32(nil), flat...)
	little[89] = 0.02
	for _, tc := range []struct {
		name string
		cpu  []float32
		want Figures
	}{
		{"nothing", nil, Figures{}},
		{"once", flat[:1], Figures{Memory: "24 MB"}},
		{"idle for a minute", flat[:7], Figures{CPU: "0", Memory: "24 MB"}},
		{"idle", flat, Figures{CPU: "0", Memory: "24 MB"}},
		{"a peak", peak, Figures{CPU: "0", Memory: "24 MB", Graph: "M0 12H15V0H16V12H30"}},
		{"a little", little, Figures{CPU: "2.0", Memory: "24 MB", Graph: "M0 12H29V9H30V12"}},
	} {
		got := FiguresOf(history(tc.cpu...), web)
		got.cpu, got.memory = 0, 0
		if got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
	for n, want := range map[int64]string{0: "0 KB", 4096: "4 KB", 1 << 20: "1.0 MB", 24 << 20: "24 MB", 1023 << 20: "1.0 GB", 3 << 30: "3.0 GB", 5 << 40: "5.0 TB"} {
		if got := Size(n); got != want {
			t.Errorf("%d bytes are %s, want %s", n, got, want)
		}
	}
}
