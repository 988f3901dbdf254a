package runtime

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/runtime/depend"
	"supervisord/runtime/state"
	"supervisord/spec"
)

var walkSteps = flag.Int("steps", 2000, "steps of the random walk of orders")

// orderWalk is a random transcript: see TestOrder.
type orderWalk struct {
	orderPlay
	t     *testing.T
	rng   *rand.Rand
	words map[string][]string // by program, as "program" has them
	jobs  map[string]bool     // programs that end by themselves
	done  []string            // the transcript
}

// seen is a process at one moment.
type seen struct {
	forks  int
	pid    int
	unmet  map[string]bool // what it needs and is not there, as a file has it
	others depend.Process
}

// differs reports whether it is another one than before, or was one in between.
func (s seen) differs(before seen) bool {
	return s.forks != before.forks || s.pid != before.pid || s.others != before.others
}

// TestOrderWalk gives a Supervisor random programs that need each other, and has random things
// happen to them. It starts none by itself before what it needs is there; an update ends
// only what it is about and what asks to be restarted with something that starts; and once
// nothing is in the way everything runs.
func TestOrderWalk(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 16))
	t.Logf("seed %d, %d steps", seed, *walkSteps)
	for left := *walkSteps; left > 0 && !t.Failed(); left -= 100 {
		w := &orderWalk{rng: rng, words: make(map[string][]string), jobs: make(map[string]bool)}
		w.fails = make(map[string]bool)
		prepareKernel = func(k *fakeKernel) { k.run = w.probe }
		inBubble(t, func(b *bench) {
			w.bench, w.t = b, b.t
			for i := range 2 + rng.IntN(5) {
				w.define(i)
			}
			for range 100 {
				w.step()
			}
			w.settle()
		})
		prepareKernel = nil
	}
}

func nameOf(i int) string { return fmt.Sprintf("p%d", i) }

// define adds a program that needs some of those before it.
func (w *orderWalk) define(i int) {
	name := nameOf(i)
	var needs, with []string
	for j := range i {
		on := nameOf(j)
		if w.rng.IntN(3) == 0 {
			until := []string{"", ":running", ":started"}
			if w.jobs[on] {
				until = []string{":started", ":exited", ":done"}
			}
			needs = append(needs, on+until[w.rng.IntN(3)]+[]string{"", "", "?"}[w.rng.IntN(3)])
		}
		if w.rng.IntN(5) == 0 {
			with = append(with, on)
		}
	}
	words := []string{fmt.Sprintf("startsecs=%d", w.rng.IntN(3)), "startretries=1", "autorestart=true"}
	if w.jobs[name] = w.rng.IntN(4) == 0; w.jobs[name] {
		words[2] = "autorestart=false"
	}
	for key, list := range map[string][]string{"depends_on": needs, "restart_with": with} {
		if len(list) > 0 {
			words = append(words, key+"="+strings.Join(list, ","))
		}
	}
	for _, key := range []string{"ready", "healthy"} {
		if w.rng.IntN(3) == 0 {
			words = append(words, key)
		}
	}
	w.words[name] = words
	w.say("program " + name + " " + strings.Join(words, " "))
}

// say carries out one line of the transcript.
func (w *orderWalk) say(line string) {
	w.done = append(w.done, line)
	w.do(strings.Fields(line))
	synctest.Wait()
}

// step lets one thing happen, and looks at what has come of it.
func (w *orderWalk) step() {
	before := w.look()
	name := nameOf(w.rng.IntN(len(w.words)))
	line, free := "", "" // free need not wait
	switch w.rng.IntN(12) {
	case 0:
		line, free = "start "+name+" nowait", name
	case 1:
		line = "stop " + name + " nowait"
	case 2:
		line = "start all nowait"
	case 3:
		line = "start " + name + " with-deps nowait"
	case 4:
		line = "update " + name + " " + strings.Join(w.words[name], " ") + " command=" + []string{"/bin/true", "/bin/false"}[w.rng.IntN(2)] + " restart"
	case 5, 6:
		line = fmt.Sprintf("exit %s %d", name, w.rng.IntN(2))
	case 7:
		line = []string{"ready ", "unready "}[w.rng.IntN(2)] + name
	case 8:
		line = []string{"healthy ", "unhealthy "}[w.rng.IntN(2)] + name
	default:
		line = fmt.Sprintf("after %dms", 500+w.rng.IntN(1000))
	}
	w.say(line)
	w.check(line, free, before, w.look())
}

// look is what there is, all at one moment.
func (w *orderWalk) look() map[spec.Namespec]seen {
	now, forks := make(map[spec.Namespec]seen), make(map[string]int)
	for _, name := range w.kernel.begun() {
		forks[name]++
	}
	err := w.sup.ask(background, func() {
		for _, g := range w.sup.groups {
			for _, p := range g.procs {
				s := seen{forks: forks[p.def.Name], pid: p.machine.PID, unmet: make(map[string]bool), others: w.sup.asOthersSee(p.namespec())}
				needs := w.sup.currentGraph().Needs(p.namespec())
				if p.order.within != nil { // a request for several, which waits for what it starts
					needs = depend.Within(needs, p.order.within)
				}
				for _, need := range needs {
					s.unmet[need.String()] = len(depend.Waits([]spec.Need{need}, w.sup.asOthersSee)) > 0
				}
				now[p.namespec()] = s
			}
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return now
}

// check compares the moments before and after a step. Within it what was needed may have
// come and gone, and then it was forked meanwhile.
func (w *orderWalk) check(line, free string, before, after map[spec.Namespec]seen) {
	request := strings.HasPrefix(line, "start all") // which waits for nothing but what it starts
	graph := w.sup.currentGraph()                   // nothing changes it now
	for name, s := range after {
		old := before[name]
		if s.forks > old.forks && name.Process != free && !request {
			for _, need := range graph.Needs(name) {
				moved := slices.ContainsFunc(need.Targets, func(to spec.Namespec) bool { return after[to].differs(before[to]) })
				if old.unmet[need.String()] && s.unmet[need.String()] && !moved {
					w.fail("%s is started without %s", name, need)
				}
			}
		}
		group, isUpdate := strings.CutPrefix(line, "update ")
		group, _, _ = strings.Cut(group, " ")
		if isUpdate && old.pid != 0 && s.pid != old.pid && name.Group != group && !w.restartsWith(name, before, after) {
			w.fail("%s has lost pid %d by an update of %s", name, old.pid, group)
		}
	}
}

// restartsWith reports whether something has been forked that a process asks to be
// restarted with.
func (w *orderWalk) restartsWith(name spec.Namespec, before, after map[spec.Namespec]seen) bool {
	for _, word := range w.words[name.Process] {
		list, is := strings.CutPrefix(word, "restart_with=")
		for _, with := range strings.Split(list, ",") {
			on := spec.Namespec{Group: with, Process: with}
			if is && after[on].forks > before[on].forks {
				return true
			}
		}
	}
	return false
}

// settle has all go well, after which all services run and all jobs have ended as expected.
func (w *orderWalk) settle() {
	for name := range w.words {
		w.find("ready", name, true)
		w.find("healthy", name, true)
	}
	var left []string
	for range 10 * len(w.words) {
		w.say("after 3s")
		left = nil
		for name, s := range w.look() {
			job := w.jobs[name.Process]
			if job && s.others.State == state.Running {
				w.say("exit " + name.Process + " 0")
			} else if job && !s.others.Done || !job && s.others.State != state.Running {
				left = append(left, fmt.Sprintf("%s is %v, %v", name, s.others.State, s.unmet))
				w.say("start " + name.Process + " with-deps nowait")
			}
		}
		if left == nil {
			return
		}
	}
	w.fail("nothing is in the way, but: %q", left)
}

func (w *orderWalk) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.done {
		if strings.HasPrefix(line, "program") {
			w.t.Log(line)
		}
	}
	for _, line := range w.done[max(0, len(w.done)-25):] {
		w.t.Log(line)
	}
	w.t.Fatalf(format, args...)
}
