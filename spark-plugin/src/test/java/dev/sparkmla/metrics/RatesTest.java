package dev.sparkmla.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class RatesTest {
  @Test
  void countsTheTimeInWhichEnginesHadRows() {
    Rates busy =
        Rates.whileBusy(
            List.of(
                moment(0, 0, 0),
                moment(60_000, 0, 4),
                moment(62_000, 300, 4),
                moment(64_000, 400, 0),
                moment(600_000, 400, 0)));
    assertThat(busy.outputTokens()).isEqualTo(100);
    assertThat(busy.promptTokens()).isEqualTo(200);
  }

  @Test
  void countsTheTimeOfRowsThatNoReportHasSeen() {
    Rates busy = Rates.whileBusy(List.of(moment(0, 0, 0), moment(5_000, 50, 0)));
    assertThat(busy.outputTokens()).isEqualTo(10);
  }

  @Test
  void areNoneWithoutTime() {
    assertThat(Rates.whileBusy(List.of())).isEqualTo(Rates.NONE);
    assertThat(Rates.whileBusy(List.of(moment(1_000, 50, 2)))).isEqualTo(Rates.NONE);
  }

  /** A moment at which so many steps have generated a token each, from two tokens of a prompt. */
  private static Moment moment(long time, long steps, long running) {
    return new Moment(time, 0, 0, 2 * steps, 0, steps, steps, 0, 0, running, 0, 0, 0);
  }
}
