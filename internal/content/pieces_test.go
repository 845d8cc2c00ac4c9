package content

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// text returns text that does not repeat itself.
func text(seed uint64, bytes int) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, bytes)
	for i := range b {
		b[i] = byte(' ' + random.IntN(90))
	}
	return b
}

// pieced packs a text and keeps what is to be stored.
func pieced(t interface{ Fatal(...any) }, p *packer, stored map[string][]byte, by string, text []byte, before []pieceRef) (refs []pieceRef, fresh int) {
	refs, pieces, err := p.pack(text, by, before)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		sk := pieceKey("t", piece.ref)
		if _, twice := stored[sk]; twice {
			t.Fatal("stored twice: " + sk)
		}
		stored[sk] = bytes.Clone(p.compressed(piece))
		fresh += len(stored[sk])
	}
	return refs, fresh
}

// joined reads the pieces back.
func joined(t interface{ Fatal(...any) }, stored map[string][]byte, refs []pieceRef) []byte {
	bodies := make([]body, len(refs))
	for i, sk := range keysOf(refs, "t") {
		if bodies[i].Zstd = stored[sk]; bodies[i].Zstd == nil {
			t.Fatal("not stored: " + sk)
		}
	}
	joined, err := joinBodies(bodies)
	if err != nil {
		t.Fatal(err)
	}
	return joined
}

func TestPack_JoinGivesTheTextBackWhateverItReuses(t *testing.T) {
	var p packer
	rapid.Check(t, func(t *rapid.T) {
		stored := map[string][]byte{}
		var refs []pieceRef
		now := text(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 200_000).Draw(t, "bytes"))
		for i := range rapid.IntRange(1, 5).Draw(t, "versions") {
			refs, _ = pieced(t, &p, stored, strings.Repeat("v", i+1), now, refs)
			if got := joined(t, stored, refs); !bytes.Equal(got, now) {
				t.Fatalf("%d bytes came back as %d", len(now), len(got))
			}
			if got, err := packPieces(refs).unpack(); err != nil || !cmp.Equal(got, refs) {
				t.Fatalf("the list came back as %v, %v", got, err)
			}
			at := rapid.IntRange(0, len(now)).Draw(t, "at")
			to := rapid.IntRange(at, len(now)).Draw(t, "to")
			// An edit may also repeat a part of the text.
			insert := rapid.SampledFrom([][]byte{nil, []byte("x"), text(7, 30_000), now[at:to], bytes.Repeat([]byte("ab"), 40_000)}).Draw(t, "insert")
			if now = bytes.Join([][]byte{now[:at], insert, now[to:]}, nil); len(now) == 0 {
				return
			}
		}
	})
}

func TestCut_KeepsItsBounds(t *testing.T) {
	var p packer
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SliceOfN(rapid.Byte(), 1, 6000).Draw(t, "unit") // a text that repeats itself
		whole := bytes.Repeat(unit, rapid.IntRange(1, 300_000).Draw(t, "bytes")/len(unit)+1)
		pieces, err := p.cut(whole)
		if err != nil || !bytes.Equal(bytes.Join(pieces, nil), whole) {
			t.Fatalf("%d bytes are cut into %d pieces of %d, %v", len(whole), len(pieces), len(bytes.Join(pieces, nil)), err)
		}
		for i, piece := range pieces {
			if len(piece) > maxPiece || len(piece) < minPiece && i < len(pieces)-1 {
				t.Fatalf("piece %d of %d has %d bytes", i, len(pieces), len(piece))
			}
		}
	})
}

// Other borders would store every long text again when it next changes.
func TestCut_ChoosesTheSameBordersInEveryVersion(t *testing.T) {
	var p packer
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	pieces, err := p.cut(text(1, 200_000))
	if err != nil {
		t.Fatal(err)
	}
	var lengths []int
	for _, piece := range pieces {
		lengths = append(lengths, len(piece))
	}
	if diff := cmp.Diff([]int{
		9117, 10092, 9265, 11578, 11181, 8711, 5215, 11565, 10198, 14576, 6237, 8536, 9771, 12489, 34728, 4563, 11438, 10740,
	}, lengths); diff != "" {
		t.Errorf("lengths of the pieces (-want +got):\n%s", diff)
	}
}

// An edit costs the pieces that it touches, and sometimes the next one.
func TestPack_StoresOnlyWhatIsNearAnEdit(t *testing.T) {
	var p packer
	var worst, sum, edits int
	for seed := range uint64(5) {
		before := text(seed, 1<<20)
		stored := map[string][]byte{}
		refs, all := pieced(t, &p, stored, "v1", before, nil)
		if all < 1<<19 {
			t.Fatalf("%d bytes stored: the text is no test", all)
		}
		for _, at := range []int{0, 1000, 1 << 19, 1<<20 - 1} {
			for name, now := range map[string][]byte{
				"insertion":   bytes.Join([][]byte{before[:at], []byte("!"), before[at:]}, nil),
				"replacement": bytes.Join([][]byte{before[:at], []byte("~"), before[at+1:]}, nil),
				"deletion":    bytes.Join([][]byte{before[:at], before[at+1:]}, nil),
			} {
				held := map[string][]byte{}
				_, fresh := pieced(t, &p, held, "v2", now, refs)
				if len(held) > 3 {
					t.Errorf("%s at %d: %d pieces of %d are new", name, at, len(held), len(refs))
				}
				worst, sum, edits = max(worst, fresh), sum+fresh, edits+1
			}
		}
	}
	if worst > 2*maxPiece || sum/edits > 20_000 {
		t.Errorf("an edit stores %d bytes on average, %d at most", sum/edits, worst)
	}
}

func FuzzPack_JoinGivesTheTextBack(f *testing.F) {
	f.Add([]byte("a"), []byte("b"), uint16(20_000))
	f.Add([]byte("abcabd"), []byte("abcabe"), uint16(40_000))
	f.Fuzz(func(t *testing.T, before, now []byte, repeat uint16) {
		if len(before) == 0 || len(now) == 0 || (len(before)+len(now))*int(repeat) > 4<<20 {
			return
		}
		before, now = bytes.Repeat(before, int(repeat)+1), bytes.Repeat(now, int(repeat)+1)
		var p packer
		stored := map[string][]byte{}
		refs, _ := pieced(t, &p, stored, "v1", before, nil)
		refs, _ = pieced(t, &p, stored, "v2", now, refs)
		if got := joined(t, stored, refs); !bytes.Equal(got, now) {
			t.Fatalf("%d bytes came back as %d", len(now), len(got))
		}
	})
}

func TestPackedPieces_RefuseWhatPackNeverWrites(t *testing.T) {
	for _, n := range []int{-1, 1} {
		if refs, err := (packedPieces{By: []string{"r1.1"}, Refs: []packedPiece{{by: n}}}).unpack(); err == nil {
			t.Errorf("a piece stored by number %d of 1: %+v", n, refs)
		}
	}
}

// The list of a text that repeats itself names the same piece many times.
func TestStagePieces_RefusesAListThatNoItemHolds(t *testing.T) {
	before := make([]pieceRef, 30_000)
	for i := range before {
		before[i] = pieceRef{Hash: make([]byte, hashSize), By: strings.Repeat("r", i%7)}
	}
	p := preparation{change: &Change{}, attempt: surgical.AttemptID{RunID: "r1", Number: 1}}
	if err := p.stageList("description#0", before); err == nil || surgical.CodeOf(err) != surgical.CodeEntityTooLarge {
		t.Errorf("a list of %d pieces: %v", len(before), err)
	}
	if err := p.stageList("description#0", before[:1000]); err != nil {
		t.Errorf("a list of 1,000 pieces: %v", err)
	}
}
