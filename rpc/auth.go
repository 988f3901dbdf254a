package rpc

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	"supervisord/spec"
)

// authorize checks the credentials of a request and answers 0 if they are
// right, else the status to refuse with. Credentials that are no base64 of
// user:password are answered 500, as Supervisor does.
//
// Source: contract/rpc.md section 1, authentication.
func authorize(sv spec.Server, r *http.Request) int {
	if sv.Username == "" {
		return 0
	}
	scheme, encoded, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "basic") || strings.TrimSpace(encoded) == "" {
		return http.StatusUnauthorized
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return http.StatusInternalServerError
	}
	username, password, found := strings.Cut(string(decoded), ":")
	if !found {
		return http.StatusInternalServerError
	}
	// Both are compared in full whatever comes of the first, and as hashes, so
	// that neither their content nor their length shows in the time it takes.
	if constantTimeEqual(username, sv.Username)&passwordMatches(password, sv.Password) != 1 {
		return http.StatusUnauthorized
	}
	return 0
}

// passwordMatches compares a password with the configured one, which is clear text or
// {SHA} and the hexadecimal SHA-1 in lower case.
func passwordMatches(password, configured string) int {
	if hash, ok := strings.CutPrefix(configured, "{SHA}"); ok {
		sum := sha1.Sum([]byte(password))
		return constantTimeEqual(hex.EncodeToString(sum[:]), hash)
	}
	return constantTimeEqual(password, configured)
}

func constantTimeEqual(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}
