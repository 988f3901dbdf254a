package runtime

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"supervisord/runtime/event"
	"supervisord/spec"
)

// The time in which nobody supervises, beside idle children and without an exec: from the
// question to the first answer of the next one. Of it, rest is until the old one is at
// rest, and written is what is written down.
func BenchmarkHandOver(b *testing.B) {
	for _, n := range []int{300, 3000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var groups []*spec.Group
			for i := range n {
				groups = append(groups, program("p"+itoa(i), func(p *spec.Process) {
					p.Command, p.StartSecs = "/bin/sleep 100000", 0
					p.Environment = spec.Env{"ONE": "1", "LONG": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
				}))
			}
			l := live(b, groups...)
			for _, g := range groups {
				l.until(g.Name, "it runs", func(i Info) bool { return i.PID != 0 })
			}
			var all, rest []time.Duration
			written := 0
			for b.Loop() {
				began := time.Now()
				h, err := l.sup.HandOver(background)
				if err != nil {
					b.Fatal(err)
				}
				rest = append(rest, time.Since(began))
				data, err := writeDown(h)
				if err != nil {
					b.Fatal(err)
				}
				written = len(data)
				from, err := readBack(data, h.Files())
				if err != nil {
					b.Fatal(err)
				}
				<-l.ended
				l.sup = New(Options{From: from, Serials: new(event.Serials)})
				go func() { l.ended <- l.sup.Run(background) }()
				if err := l.sup.ask(background, func() {}); err != nil {
					b.Fatal(err)
				}
				all = append(all, time.Since(began))
			}
			for name, list := range map[string][]time.Duration{"ms": all, "rest-ms": rest} {
				slices.Sort(list)
				b.ReportMetric(list[len(list)/2].Seconds()*1000, "p50-"+name)
				b.ReportMetric(list[len(list)*99/100].Seconds()*1000, "p99-"+name)
			}
			b.ReportMetric(float64(written)/1000, "written-kB")
		})
	}
}
