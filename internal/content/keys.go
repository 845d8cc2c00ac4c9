package content

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Sort keys of an entity's collection, all under the partition P#<project>#<type>#<iid>:
//
//	head                                       the head
//	child#<kind>#<id>#<stage>#<segment>        a child (or one segment of it)
//	part#<number>#<stage>                      a part of the manifest
//	doc#<document>                             a document
//	doctext#<document>#<token>#<segment>       a segment of a long document
//	emb#<document>                             which chunks embed a document
//	vec#<document>#<chunk hash>                the vector of one chunk
//
// A stage is <run_id>.<attempt>: it tells who staged the item.
const (
	headKey       = "head"
	childPrefix   = "child#"
	partPrefix    = "part#"
	docPrefix     = "doc#"
	docTextPrefix = "doctext#"
	embPrefix     = "emb#"
	vecPrefix     = "vec#"
)

const partitionPrefix = "P#"

// Stage names the attempt of a run that stages children.
func Stage(runID string, attempt int64) string {
	return runID + "." + strconv.FormatInt(attempt, 10)
}

// TextToken names one try of a claim of a docs job to write segments of
// documents rendered from a revision: no two tries share a segment's key.
func TextToken(runID string, claim, revision int64, try int) string {
	return fmt.Sprintf("%s%s%d.%d.%d", runID, textTokenMark, claim, revision, try)
}

const textTokenMark = ".d"

// parseStage is the inverse of Stage, and of TextToken: the attempt is then 0.
func parseStage(stage string) (runID string, attempt int64, err error) {
	if run, _, ok := strings.Cut(stage, textTokenMark); ok {
		return run, 0, nil
	}
	run, n, ok := strings.Cut(stage, ".")
	attempt, parseErr := strconv.ParseInt(n, 10, 64)
	if !ok || run == "" || parseErr != nil {
		return "", 0, fmt.Errorf("%q is no stage", stage)
	}
	return run, attempt, nil
}

func partition(ref surgical.EntityRef) string { return partitionPrefix + ref.Key() }

func childKey(child, stage string, segment int) string {
	return fmt.Sprintf("%s%s#%s#%03d", childPrefix, child, stage, segment)
}

func partKey(part int, stage string) string { return fmt.Sprintf("%s%04d#%s", partPrefix, part, stage) }

func docKey(document string) string { return docPrefix + document }

func docTextKey(document, token string, segment int) string {
	return fmt.Sprintf("%s%s#%s#%03d", docTextPrefix, document, token, segment)
}

func embKey(document string) string { return embPrefix + document }

func vecKey(document, chunkHash string) string { return vecPrefix + document + "#" + chunkHash }

// stageOfKey returns the stage within the sort key of a child, of a manifest's
// part or of a document's segment.
func stageOfKey(sk string) (string, error) {
	fields := strings.Split(sk, "#")
	switch {
	case strings.HasPrefix(sk, childPrefix) && len(fields) >= 5, strings.HasPrefix(sk, docTextPrefix) && len(fields) >= 4:
		return fields[len(fields)-2], nil
	case strings.HasPrefix(sk, partPrefix) && len(fields) == 3:
		return fields[2], nil
	}
	return "", fmt.Errorf("%q is not a staged item", sk)
}

func key(ref surgical.EntityRef, sk string) dynamo.Item {
	return dynamo.Item{
		"pk": &types.AttributeValueMemberS{Value: partition(ref)},
		"sk": &types.AttributeValueMemberS{Value: sk},
	}
}
