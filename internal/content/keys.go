package content

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Sort keys within the partition of an entity, P#<project>#<type>#<iid>:
//
//	head                                       the head
//	child#<kind>#<id>#<attempt>#<segment>      a child (or one segment of it)
//	piece#<kind>#<id>#<attempt>#list           which pieces a long child consists of
//	piece#<kind>#<id>#<attempt>#<hash>         one of them
//	part#<number>#<attempt>                    a part of the manifest
//	doc#<document>                             a document
//	docpiece#<document>#<token>#<hash>         a piece of a long document (see [TextToken])
//	doctext#<document>#<token>#<segment>       a segment of a long document of an earlier version
//	emb#<document>                             the embeddings of a document
//	vec#<document>#<chunk hash>                the vector of one chunk
//
// An attempt is a [surgical.AttemptID], the one that staged the item. Pieces have
// prefixes of their own, so that the sweeper of an earlier version, which does not
// know what names them, does not find them.
const (
	headKey        = "head"
	childPrefix    = "child#"
	piecePrefix    = "piece#"
	partPrefix     = "part#"
	docPrefix      = "doc#"
	docPiecePrefix = "docpiece#"
	docTextPrefix  = "doctext#"
	embPrefix      = "emb#"
	vecPrefix      = "vec#"
)

const partitionPrefix = "P#"

// TextToken identifies one try of a docs job to write the pieces of long
// documents: no two tries share the key of a piece. claim counts the claims of
// the job, try the tries within a claim.
func TextToken(runID string, claim, revision int64, try int) string {
	return fmt.Sprintf("%s%s%d.%d.%d", runID, textTokenMark, claim, revision, try)
}

const textTokenMark = ".d"

func partition(ref surgical.EntityRef) string { return partitionPrefix + ref.Key() }

func childKey(child string, attempt surgical.AttemptID, segment int) string {
	return fmt.Sprintf("%s%s#%s#%03d", childPrefix, child, attempt, segment)
}

func pieceListKey(child string, attempt surgical.AttemptID) string {
	return fmt.Sprintf("%s%s#%s#list", piecePrefix, child, attempt)
}

// ofChild returns the prefix of the keys of the child's pieces, and ofDocument that
// of a document's.
func ofChild(child string) string       { return piecePrefix + child }
func ofDocument(document string) string { return docPiecePrefix + document }

// keysOf returns the sort keys of the pieces of one text, in order.
func keysOf(pieces []pieceRef, of string) []string {
	keys := make([]string, len(pieces))
	for i, piece := range pieces {
		keys[i] = pieceKey(of, piece)
	}
	return keys
}

func pieceKey(of string, p pieceRef) string { return fmt.Sprintf("%s#%s#%x", of, p.By, p.Hash) }

func partKey(part int, attempt surgical.AttemptID) string {
	return fmt.Sprintf("%s%04d#%s", partPrefix, part, attempt)
}

func docKey(document string) string { return docPrefix + document }

func docTextKey(document, token string, segment int) string {
	return fmt.Sprintf("%s%s#%s#%03d", docTextPrefix, document, token, segment)
}

func embKey(document string) string { return embPrefix + document }

func vecKey(document, chunkHash string) string { return vecPrefix + document + "#" + chunkHash }

// ChangedBy says what a change of the item with these keys may have changed for
// readers: the entity itself, or one of its documents with what embeds it. Of any other
// item, the change means nothing by itself, and ok is false.
func ChangedBy(pk, sk string) (ref surgical.EntityRef, document string, ok bool) {
	key, of := strings.CutPrefix(pk, partitionPrefix)
	ref, err := surgical.ParseEntityRef(key)
	if !of || err != nil {
		return ref, "", false
	}
	if sk == headKey {
		return ref, "", true
	}
	for _, prefix := range []string{docPrefix, embPrefix} {
		if document, is := strings.CutPrefix(sk, prefix); is && document != "" {
			return ref, document, true
		}
	}
	return ref, "", false
}

// StreamPrefixes are the prefixes of the sort keys that [ChangedBy] understands, and that
// of the beat, for the filter of the table's stream.
func StreamPrefixes() []string { return []string{headKey, docPrefix, embPrefix, beatKey} }

// attemptOfKey returns the attempt that staged the child, the piece or the part of
// a manifest with this sort key. A piece or segment of a document belongs to a docs
// job: its attempt has the run's id and the number 0.
func attemptOfKey(sk string) (surgical.AttemptID, error) {
	fields := strings.Split(sk, "#")
	switch {
	case (strings.HasPrefix(sk, childPrefix) || strings.HasPrefix(sk, piecePrefix)) && len(fields) >= 5:
		return surgical.ParseAttemptID(fields[len(fields)-2])
	case strings.HasPrefix(sk, partPrefix) && len(fields) == 3:
		return surgical.ParseAttemptID(fields[2])
	case (strings.HasPrefix(sk, docTextPrefix) || strings.HasPrefix(sk, docPiecePrefix)) && len(fields) >= 4:
		if runID, _, ok := strings.Cut(fields[len(fields)-2], textTokenMark); ok && runID != "" {
			return surgical.AttemptID{RunID: runID}, nil
		}
	}
	return surgical.AttemptID{}, fmt.Errorf("%q is not a staged item", sk)
}

func key(ref surgical.EntityRef, sk string) dynamo.Item {
	return dynamo.Item{
		"pk": &types.AttributeValueMemberS{Value: partition(ref)},
		"sk": &types.AttributeValueMemberS{Value: sk},
	}
}

// sortKey returns the sort key of an item; "" if it has none.
func sortKey(item dynamo.Item) string { return stringOf(item, "sk") }

// stringOf returns an attribute that holds a string; "" if there is none.
func stringOf(item dynamo.Item, name string) string {
	text, _ := item[name].(*types.AttributeValueMemberS)
	if text == nil {
		return ""
	}
	return text.Value
}
