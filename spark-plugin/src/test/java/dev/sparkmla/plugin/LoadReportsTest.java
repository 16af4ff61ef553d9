package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.plugin.location.ModelFingerprint;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LoadReportsTest {
  private static final ModelFingerprint MODEL =
      new ModelFingerprint(Map.of("config.json", "2 a", "model.safetensors", "9 b"));

  private final List<String> givenUp = new ArrayList<>();
  private final LoadReports reports = new LoadReports(givenUp::add);

  @Test
  void givesUpWhenNoExecutorCanLoad() {
    for (int i = 1; i < LoadReports.FAILURES; i++) {
      fail(i, "bad");
    }
    assertThat(givenUp).isEmpty();
    fail(4, "bad");
    assertThat(givenUp)
        .containsExactly("The model cannot be loaded on executor 4 on the host bad: no weights");
    fail(5, "bad");
    assertThat(givenUp).hasSize(2);
  }

  @Test
  void hopesForAnExecutorThatLoadsOnAnotherHost() {
    reports.begin("good", "good");
    for (int i = 1; i <= 2 * LoadReports.FAILURES; i++) {
      fail(i, "bad");
    }
    assertThat(givenUp).isEmpty();
    reports.fail("good", "no memory");
    assertThat(givenUp).singleElement().asString().contains("good: no memory");
  }

  @Test
  void goesOnAsLongAsAnExecutorIsThereThatHasLoaded() {
    load("0", "good");
    for (int i = 1; i <= 2 * LoadReports.FAILURES; i++) {
      fail(i, "bad");
    }
    assertThat(givenUp).isEmpty();
    reports.end("0");
    fail(100, "bad");
    assertThat(givenUp).hasSize(1);
  }

  @Test
  void anExecutorThatEndsWhileItLoadsHasFailed() {
    for (int i = 1; i <= LoadReports.FAILURES; i++) {
      String executor = String.valueOf(i);
      reports.begin(executor, "bad");
      reports.end(executor);
      reports.end(executor);
    }
    assertThat(givenUp).singleElement().asString().contains("bad").contains("memory");
  }

  @Test
  void aHostOnWhichLoadsFailWaitsLongerEachTime() {
    load("0", "good");
    List<Long> waits = new ArrayList<>();
    for (int i = 1; i <= 12; i++) {
      waits.add(fail(i, "bad").toSeconds());
    }
    assertThat(waits)
        .containsExactly(0L, 0L, 0L, 0L, 30L, 60L, 120L, 240L, 480L, 960L, 1800L, 1800L);
    assertThat(reports.begin("more", "good")).isZero();
    load("13", "bad");
    assertThat(reports.begin("14", "bad")).isZero();
  }

  @Test
  void noHostWaitsWhereThereIsNoOther() {
    for (int i = 1; i <= 2 * LoadReports.FAILURES; i++) {
      assertThat(fail(i, "bad")).isZero();
    }
  }

  @Test
  void refusesAnotherModelThanTheFirstAndNamesHostsAndFiles() {
    load("0", "first");
    reports.begin("1", "second");
    ModelFingerprint other =
        new ModelFingerprint(Map.of("config.json", "2 a", "model.safetensors", "9 c"));

    assertThat(reports.succeed("1", other))
        .isEqualTo(
            "the model of executor 1 on the host second is another than that of executor 0 on the"
                + " host first, the first of this application: these files differ:"
                + " model.safetensors; give all hosts the same model");

    reports.fail("1", "refused");
    reports.end("0");
    reports.begin("2", "second");
    assertThat(reports.succeed("2", other)).contains("host first");
    reports.begin("3", "third");
    assertThat(reports.succeed("3", MODEL)).isEmpty();
  }

  @Test
  void describesTheLoadThatIsFurthestUntilOneIsDone() {
    assertThat(reports.describe()).isEmpty();
    reports.begin("1", "first");
    reports.begin("2", "second");
    reports.progress("2", 0.459);
    reports.progress("unknown", 0.9);
    assertThat(reports.describe())
        .isEqualTo("loading the model on 2 executors: 45 % of the weights read");
    reports.succeed("1", MODEL);
    assertThat(reports.describe()).isEmpty();
  }

  private void load(String executor, String host) {
    reports.begin(executor, host);
    assertThat(reports.succeed(executor, MODEL)).isEmpty();
  }

  private Duration fail(int executor, String host) {
    Duration wait = reports.begin(String.valueOf(executor), host);
    reports.fail(String.valueOf(executor), "no weights");
    return wait;
  }
}
