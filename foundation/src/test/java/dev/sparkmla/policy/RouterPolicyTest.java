package dev.sparkmla.policy;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.policy.RouterPolicy.Method;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RouterPolicyTest {
  @ParameterizedTest
  @CsvSource({
    "SIGMOID_BIASED, 0, 1, 1, 1, 1, 'experts must be at least 1, are 0'",
    "SIGMOID_BIASED, 64, 65, 1, 1, 1, 'experts per token must be 1 to 64, are 65'",
    "SIGMOID_BIASED, 64, 6, 0, 1, 1, 'groups must be at least 1'",
    "SIGMOID_BIASED, 64, 6, 7, 1, 1, 'divide the 64 experts, are 7'",
    "SIGMOID_BIASED, 64, 6, 8, 9, 1, 'groups per token must be 1 to 8, are 9'",
    "SOFTMAX_GROUP_LIMITED, 64, 9, 8, 1, 1, '1 groups of 8 experts cannot give 9'",
    "SOFTMAX_GREEDY, 64, 6, 1, 1, NaN, 'scale must be finite'"
  })
  void refusesWhatCannotChoose(
      Method method,
      int experts,
      int perToken,
      int groups,
      int groupsPerToken,
      float scale,
      String message) {
    assertThatThrownBy(
            () -> new RouterPolicy(method, experts, perToken, groups, groupsPerToken, false, scale))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }
}
