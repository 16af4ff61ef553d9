package dev.sparkmla.compute;

/**
 * How experts are chosen. A chosen expert's weight is its score (without bias), divided by the sum
 * of the chosen scores plus 1e-20 where {@code normalized}, then multiplied by {@code scale}. The
 * lower id wins among equals.
 *
 * @param method the score and the choice
 * @param perToken experts chosen for a token
 * @param groups number of groups of neighbouring experts; divides the number of experts
 * @param groupsPerToken groups a token may choose from
 * @param normalized whether the weights are divided by their sum
 * @param scale multiplies the weights
 */
public record RoutingPolicy(
    Method method, int perToken, int groups, int groupsPerToken, boolean normalized, float scale) {
  /** The score and the choice. */
  public enum Method {
    /** Softmax over all experts, the largest win. */
    SOFTMAX_GREEDY,
    /** Softmax; groups ranked by their largest member (DeepSeek-V2, section 2.2.2). */
    SOFTMAX_GROUP_LIMITED,
    /**
     * Sigmoid; the choice is by score plus bias, groups ranked by the sum of their two largest
     * (DeepSeek-V3, arXiv:2412.19437, section 2.1.2).
     */
    SIGMOID_BIASED
  }
}
