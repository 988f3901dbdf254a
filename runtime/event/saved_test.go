package event

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"supervisord/runtime/state"
)

// What a listener may say, in pieces of any length.
var sayings = []string{
	"READY\n", "READY\nRESULT 2\nOK", "RESULT 2\nOKREADY\n", "RESULT 4\nFAILREADY\n", "RESULT 0\nREADY\n",
	"RESULT 40\nprocessname:a channel:stdout\none\ntwo\nxxx", "RESULT x\n", "nonsense",
}

// TestHandedOver does anything to two pools, one of which is handed over before each step,
// and can tell no difference.
func TestHandedOver(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	steps := 20_000
	if testing.Short() {
		steps = 2_000
	}
	var serials, twins Serials
	var options Options
	var pool, twin *Pool
	var said string // by the listeners, and not heard yet
	now := start
	for step := range steps {
		if step%200 == 0 {
			options = Options{
				Name: "p", Server: "s", Serials: &serials, Subscription: below[Any], BufferSize: 1 + rng.IntN(5),
				Listeners: []string{"a", "b"}, Handler: Handler(rng.IntN(2)), StallTimeout: time.Duration(rng.IntN(2)) * time.Minute,
			}
			pool, said = New(options), ""
			options.Serials = &twins
			twin = New(options)
		}
		twin = handedOver(t, twin, options, now)
		i, whole := rng.IntN(2), rng.IntN(4) > 0
		ev, text := RemoteCommunicated("t", fmt.Sprint(step)), []byte(nil)
		what := rng.IntN(9)
		if what > 2 && what < 6 {
			if said == "" {
				said = sayings[rng.IntN(len(sayings))]
			}
			n := 1 + rng.IntN(len(said))
			text, said = []byte(said[:n]), said[n:]
		}
		do := func(p *Pool) string {
			var effects []Effect
			switch what {
			case 0:
				own := *ev // its serial is that of its pool's life
				effects = p.Offer(&own)
			case 1, 2:
				effects = p.Dispatch(now, func(int) bool { return true })
			case 6:
				effects = p.Written(i, whole, now)
			case 7:
				if whole {
					p.Spawned(i, now)
				} else {
					effects = p.Exited(i, now)
				}
			case 8:
				o := options
				o.Serials, o.Subscription = nil, below[Any]
				effects = p.Change(o, now)
			default:
				effects = p.Output(i, text, now)
			}
			result := fmt.Sprint(p.Waiting(), p.Dropped(), p.Listener(0), p.Listener(1), p.Deadline().Sub(now))
			for _, e := range effects {
				result += fmt.Sprintf("\n%d %d %q %s", e.Kind, e.Listener, e.Data, e.Line)
			}
			return result
		}
		if has, want := do(twin), do(pool); has != want {
			t.Fatalf("step %d, %d: %s\nwithout a handover: %s", step, what, has, want)
		}
		now = now.Add(time.Duration(rng.IntN(10)) * time.Second)
	}
	if serials.Save() != twins.Save() {
		t.Errorf("the next serial is %d and %d", serials.Save(), twins.Save())
	}
}

// What no pool comes to is refused.
func TestCheck(t *testing.T) {
	sent := SavedEvent{Type: "TICK_5"}
	for name, s := range map[string]Saved{
		"an unknown event":        {Queue: []SavedEvent{{Type: "TICK_6"}}},
		"an abstract event":       {Queue: []SavedEvent{{Type: "EVENT"}}},
		"a serial below 0":        {Queue: []SavedEvent{{Type: "TICK_5", Serial: -1}}},
		"no state":                {Listeners: []SavedListener{{State: 11}}},
		"busy with nothing":       {Listeners: []SavedListener{{State: state.Busy}}},
		"an event in READY":       {Listeners: []SavedListener{{State: state.Ready, Flight: &sent}}},
		"a result in READY":       {Listeners: []SavedListener{{State: state.Ready, InBody: true, Length: 2}}},
		"a result that is over":   {Listeners: []SavedListener{{State: state.Busy, Flight: &sent, InBody: true, Length: 2, Got: 2}}},
		"more than was heard":     {Listeners: []SavedListener{{State: state.Busy, Flight: &sent, InBody: true, Length: 9, Got: 1, Body: []byte("OK")}}},
		"READY but for its state": {Listeners: []SavedListener{{State: state.Acknowledged, Held: []byte("READY\n")}}},
		"dropped less than none":  {Dropped: -1},
	} {
		if s.Check() == nil {
			t.Errorf("%s is fine", name)
		}
	}
}
