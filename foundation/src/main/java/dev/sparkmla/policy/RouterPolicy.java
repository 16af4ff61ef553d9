package dev.sparkmla.policy;

/**
 * How a router chooses experts. A chosen expert's weight is its score (without bias), divided by
 * the sum of the chosen scores plus 1e-20 where {@code normalized}, then multiplied by {@code
 * scale}. The lower id wins among equals.
 *
 * @param method the score and the choice
 * @param experts number of routed experts of the layer
 * @param perToken experts chosen for a token
 * @param groups number of groups of neighbouring experts; divides the number of experts
 * @param groupsPerToken groups a token may choose from
 * @param normalized whether the weights are divided by their sum
 * @param scale multiplies the weights ({@code routed_scaling_factor})
 */
public record RouterPolicy(
    Method method,
    int experts,
    int perToken,
    int groups,
    int groupsPerToken,
    boolean normalized,
    float scale) {
  /** The score and the choice. */
  public enum Method {
    /** Softmax over all experts, the largest win; groups do not matter. */
    SOFTMAX_GREEDY,
    /** Softmax; groups ranked by their largest member (DeepSeek-V2, arXiv:2405.04434, 2.2.2). */
    SOFTMAX_GROUP_LIMITED,
    /**
     * Sigmoid; the choice is by score plus a correction bias, groups ranked by the sum of their two
     * largest (DeepSeek-V3, arXiv:2412.19437, section 2.1.2).
     */
    SIGMOID_BIASED
  }

  /**
   * Checks that the policy can choose as many experts as it says.
   *
   * @throws IllegalArgumentException naming the value that is out of range
   */
  public RouterPolicy {
    require(method != null, "the router's method is missing");
    require(experts >= 1, "experts must be at least 1, are %d", experts);
    require(
        perToken >= 1 && perToken <= experts,
        "experts per token must be 1 to %d, are %d",
        experts,
        perToken);
    require(
        groups >= 1 && experts % groups == 0,
        "groups must be at least 1 and divide the %d experts, are %d",
        experts,
        groups);
    require(
        groupsPerToken >= 1 && groupsPerToken <= groups,
        "groups per token must be 1 to %d, are %d",
        groups,
        groupsPerToken);
    require(
        method == Method.SOFTMAX_GREEDY || perToken <= experts / groups * groupsPerToken,
        "%d groups of %d experts cannot give %d experts per token",
        groupsPerToken,
        experts / groups,
        perToken);
    require(Float.isFinite(scale), "scale must be finite, is %s", scale);
  }

  @SuppressWarnings("AnnotateFormatMethod") // the annotation would be a dependency of its own
  private static void require(boolean condition, String format, Object... values) {
    if (!condition) {
      throw new IllegalArgumentException(String.format(format, values));
    }
  }
}
