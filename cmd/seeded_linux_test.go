package cmd

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// seeded is the source of what is up to chance, and logs how to repeat it.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("RECONCILE_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("RECONCILE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}
