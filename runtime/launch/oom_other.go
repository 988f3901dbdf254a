//go:build unix && !linux

package launch

func cgroupsOf(int) string { return "" }

func oomCounterOf(string) string { return "" }

func readOOMKills(string) (int64, bool) { return 0, false }
