package search

// How engines rank, so that their answers resemble each other.
const (
	// Fused is how many chunks of each ranking [Fuse] fuses, and RankConstant
	// what tempers the first ranks. make eval: with 60, which is usual for rankings of more
	// candidates, every set is worse.
	Fused        = 100
	RankConstant = 10
	// LikeTerms is how many words of an entity others are compared by.
	LikeTerms = 24
)

// NoEmbedder is the [Candidates.Reason] of a query without a vector.
const NoEmbedder = "the embedder did not answer, so only words were compared"

// NoVectors is the [Candidates.Reason] of an index without vectors of the model.
func NoVectors(model string) string {
	return "the index has no vectors of the model " + model + " yet"
}
