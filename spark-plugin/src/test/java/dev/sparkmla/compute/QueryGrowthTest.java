package dev.sparkmla.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class QueryGrowthTest {
  @Test
  void growsByAStepEveryPeriod() {
    QueryGrowth growth = new QueryGrowth(0.1, 8192);

    assertThat(growth.at(0)).isEqualTo(1);
    assertThat(growth.at(8191)).isEqualTo(1);
    assertThat(growth.at(8192)).isCloseTo((float) (1 + 0.1 * Math.log(2)), within(1e-7f));
    assertThat(growth.at(3 * 8192 - 1)).isCloseTo((float) (1 + 0.1 * Math.log(3)), within(1e-7f));
  }
}
