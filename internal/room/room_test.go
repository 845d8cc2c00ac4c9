package room_test

import (
	"sync"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/room"
)

func TestShareTake_StopsAtWhatTheRoomHas(t *testing.T) {
	r := room.New(100)
	a, b := r.Share(false), r.Share(false)
	if !a.Take(60) || !b.Take(40) {
		t.Fatal("the room is smaller than it should be")
	}
	if a.Take(1) || b.Take(1) {
		t.Error("a full room gave more")
	}
	a.Return(10)
	if b.Take(11) || !b.Take(10) {
		t.Error("what was returned is not what can be taken")
	}
	a.Leave()
	if b.Take(51) || !b.Take(50) {
		t.Error("a share that was left is not free again")
	}
}

func TestShareReturn_GivesBackNoMoreThanItHolds(t *testing.T) {
	r := room.New(100)
	a, b := r.Share(false), r.Share(false)
	if !a.Take(10) || !b.Take(90) {
		t.Fatal("the room is smaller than it should be")
	}
	a.Return(50)
	if a.Take(11) {
		t.Error("a share gave back what another one holds")
	}
	var tasks sync.WaitGroup
	for range 8 {
		tasks.Go(func() { b.Return(20) })
	}
	tasks.Wait()
	b.Leave()
	if !a.Take(100) || a.Take(1) {
		t.Error("the room does not have its size any more")
	}
}

func TestShareTake_IsUnlimitedWithoutARoom(t *testing.T) {
	s := room.From(t.Context())
	if !s.Take(1<<50) || s.Sole() {
		t.Error("no room is a bound")
	}
	s.Return(1)
	s.Leave()
}
