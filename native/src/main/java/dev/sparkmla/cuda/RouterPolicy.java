package dev.sparkmla.cuda;

/**
 * How a {@link Router} chooses experts. A chosen expert's weight is its score (without bias),
 * divided by the sum of the chosen scores plus 1e-20 where {@code normalized}, then multiplied by
 * {@code scale}.
 *
 * @param method the score and the choice
 * @param experts of the layer, 1 to 512
 * @param perToken experts chosen for a token, 1 to 32
 * @param groups number of groups of neighbouring experts, 1 to 32; divides the number of experts
 * @param groupsPerToken groups a token may choose from
 * @param normalized whether the weights are divided by their sum
 * @param scale multiplies the weights
 */
public record RouterPolicy(
    Method method,
    int experts,
    int perToken,
    int groups,
    int groupsPerToken,
    boolean normalized,
    float scale) {
  /** The score and the choice; numbered as in spark_mla_experts.h. */
  public enum Method {
    /** Softmax over all experts, the largest win; groups do not matter. */
    SOFTMAX_GREEDY,
    /** Softmax; groups ranked by their largest member (DeepSeek-V2, arXiv:2405.04434, 2.2.2). */
    SOFTMAX_GROUP_LIMITED,
    /**
     * Sigmoid; the choice is by score plus bias, groups ranked by the sum of their two largest
     * (DeepSeek-V3, arXiv:2412.19437, section 2.1.2).
     */
    SIGMOID_BIASED
  }

  /**
   * @throws CudaArgumentException naming the value that is out of range
   */
  public RouterPolicy {
    CudaArgumentException.require(method != null, "the router's method is missing");
    CudaArgumentException.require(
        experts >= 1 && experts <= ExpertsShape.MOST_EXPERTS,
        "experts must be 1 to %d, are %d",
        ExpertsShape.MOST_EXPERTS,
        experts);
    CudaArgumentException.require(
        perToken >= 1 && perToken <= Math.min(experts, ExpertsShape.MOST_PER_TOKEN),
        "experts per token must be 1 to %d, are %d",
        Math.min(experts, ExpertsShape.MOST_PER_TOKEN),
        perToken);
    CudaArgumentException.require(
        groups >= 1 && groups <= 32 && experts % groups == 0,
        "groups must be 1 to 32 and divide the %d experts, are %d",
        experts,
        groups);
    CudaArgumentException.require(
        groupsPerToken >= 1 && groupsPerToken <= groups,
        "groups per token must be 1 to %d, are %d",
        groups,
        groupsPerToken);
    CudaArgumentException.require(
        method == Method.SOFTMAX_GREEDY || perToken <= experts / groups * groupsPerToken,
        "%d groups of %d experts cannot give %d experts per token",
        groupsPerToken,
        experts / groups,
        perToken);
    CudaArgumentException.require(Float.isFinite(scale), "scale must be finite, is %s", scale);
  }
}
