// Package event is Supervisor's event system as pure code: the types and their
// hierarchy, the text of each payload, the pools that buffer events for event
// listeners, and the protocol that a listener speaks. It has no clock, starts no
// goroutine and touches no file; the time is handed in and what must be done
// comes back as Effects, in order.
//
// The supervisor's loop owns every Pool. Its duties, each turn:
//
//  1. Offer every event to every pool, in the order of the pools. The event's
//     serial is taken by the first pool that accepts it.
//  2. Hand each pool what its listeners wrote (Output), what became of a write
//     to their stdin (Written), and when they came and went (Spawned, Exited).
//     Output comes before Exited, and nothing of an earlier run after Spawned.
//  3. When all inputs of the turn are done, Dispatch each pool.
//  4. Perform the effects of each call in order, before the next call of the
//     same pool: they share its memory.
//  5. Wake up at the earliest Deadline and dispatch again.
//
// Ordering: a pool with one listener delivers in the order of acceptance, except
// that a rejected event comes again first. With several listeners only the order
// of sending is kept; between pools there is none. A slow listener never delays
// anybody: its pool's buffer is bounded, and the oldest event is discarded.
//
// Of this module it imports at most spec and runtime/state.
//
// Source: contract/events.md; contract/differences.md rows 68 to 78.
package event
