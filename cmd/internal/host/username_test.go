package host

import "testing"

func TestUserName(t *testing.T) {
	for uid, want := range map[int]string{0: "root", 1<<31 - 7: "uid 2147483641"} {
		if got := UserName(uid); got != want {
			t.Errorf("%d is called %s, want %s", uid, got, want)
		}
	}
}
