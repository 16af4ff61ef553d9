package dev.sparkmla.compute;

/**
 * Queries that grow with their position, so that the softmax stays sharp over long contexts: at
 * position p they are multiplied by {@code 1 + coefficient * ln(1 + floor(p / period))}, as in
 * Llama 4 and Mistral Small 4. Immutable.
 *
 * @param coefficient {@code llama_4_scaling_beta}
 * @param period positions before the first step, at least 1
 */
public record QueryGrowth(double coefficient, int period) {
  /** What a query at a position is multiplied by. */
  public float at(int position) {
    return (float) (1 + coefficient * Math.log1p(Math.floorDiv(position, period)));
  }
}
