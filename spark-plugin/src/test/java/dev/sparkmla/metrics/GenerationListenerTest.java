package dev.sparkmla.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.RowStatistics;
import java.util.List;
import java.util.Random;
import org.apache.spark.SparkConf;
import org.apache.spark.scheduler.SparkListenerExecutorAdded;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;
import org.apache.spark.scheduler.cluster.ExecutorInfo;
import org.apache.spark.status.KVUtils;
import org.apache.spark.util.kvstore.InMemoryStore;
import org.apache.spark.util.kvstore.KVStoreSerializer;
import org.junit.jupiter.api.Test;
import scala.collection.immutable.Map$;

class GenerationListenerTest {
  private final InMemoryStore records = new InMemoryStore();
  private final GenerationListener listener =
      new GenerationListener(
          new SparkConf(false).set("spark.ui.retainedDeadExecutors", "2"), records);
  private final GenerationStore store = new GenerationStore(records);

  @Test
  void sumsWhatExecutorsReport() {
    assertThat(store.isUsed()).isFalse();
    join("1", 1000);
    join("2", 1500);
    assertThat(store.executors())
        .extracting(ExecutorRecord::state)
        .containsOnly(ExecutorRecord.State.LOADING);
    report("1", 2000, 10, 1);
    report("2", 3000, 100, 0);
    report("1", 4000, 30, 2);
    assertThat(store.isUsed()).isTrue();
    assertThat(store.totals().outputTokens()).isEqualTo(130);
    assertThat(store.totals().running()).isEqualTo(2);
    assertThat(store.moments())
        .extracting(Moment::time, Moment::outputTokens, Moment::running)
        .containsExactly(tuple(2000L, 10L, 1L), tuple(3000L, 110L, 1L), tuple(4000L, 130L, 2L));
    ExecutorRecord first = store.executors().get(0);
    assertThat(first.host()).isEqualTo("host of 1");
    assertThat(first.state()).isEqualTo(ExecutorRecord.State.RUNNING);
    assertThat(first.recent().outputTokens()).isEqualTo(10);
    assertThat(store.executors().get(1).state()).isEqualTo(ExecutorRecord.State.IDLE);
  }

  @Test
  void keepsWhatRemovedExecutorsHaveDone() {
    for (int i = 1; i <= 4; i++) {
      String id = String.valueOf(i);
      join(id, 1000 * i);
      report(id, 1000 * i + 500, 7, 3);
      listener.onExecutorRemoved(new SparkListenerExecutorRemoved(1000 * i + 900, id, "killed"));
      report(id, 1000 * i + 999, 8, 3);
    }
    assertThat(store.totals().outputTokens()).isEqualTo(28);
    assertThat(store.totals().running()).isZero();
    assertThat(store.executors())
        .extracting(ExecutorRecord::id, ExecutorRecord::state, ExecutorRecord::removalReason)
        .containsExactly(
            tuple("3", ExecutorRecord.State.REMOVED, "killed"),
            tuple("4", ExecutorRecord.State.REMOVED, "killed"));
    assertThat(store.forgotten().count()).isEqualTo(2);
    assertThat(store.forgotten().gpuMillis()).isEqualTo(2 * 2 * 900);
    assertThat(store.moments().get(store.moments().size() - 1).running()).isZero();
  }

  @Test
  void passesOverAReportThatALaterOneHasOvertaken() {
    join("1", 1000);
    report("1", 3000, 20, 0);
    report("1", 2000, 10, 4);
    assertThat(store.totals().outputTokens()).isEqualTo(20);
    assertThat(store.totals().running()).isZero();
  }

  @Test
  void aReportMayComeBeforeItsExecutor() {
    report("driver", 2000, 10, 0);
    join("driver", 2100);
    assertThat(store.executors())
        .extracting(ExecutorRecord::host, ExecutorRecord::added)
        .containsExactly(tuple("host of driver", 2100L));
    assertThat(store.totals().outputTokens()).isEqualTo(10);
  }

  @Test
  void knowsHowFarRunsAre() {
    listener.onOtherEvent(new RunProgress("out", 1000, 5, 10, 100));
    listener.onOtherEvent(new RunProgress("out", 2000, 5, 40, 100));
    assertThat(store.runs()).containsExactly(new RunProgress("out", 2000, 5, 40, 100));
    assertThat(store.runs().get(0).left()).isEqualTo(60);
  }

  @Test
  void recordsComeBackFromAStoreOnDisk() throws Exception {
    join("1", 1000);
    join("2", 1500);
    report("1", 2000, 10, 1);
    listener.onOtherEvent(new RunProgress("out", 1000, 5, 10, 100));
    KVStoreSerializer disk = new KVUtils.KVStoreScalaSerializer();
    for (ExecutorRecord executor : store.executors()) {
      assertThat(disk.deserialize(disk.serialize(executor), ExecutorRecord.class))
          .isEqualTo(executor);
    }
    Moment moment = store.moments().get(0);
    assertThat(disk.deserialize(disk.serialize(moment), Moment.class)).isEqualTo(moment);
    RunRecord run = new RunRecord(store.runs().get(0));
    assertThat(disk.deserialize(disk.serialize(run), RunRecord.class)).isEqualTo(run);
    RemovedExecutors none = store.forgotten();
    assertThat(disk.deserialize(disk.serialize(none), RemovedExecutors.class)).isEqualTo(none);
  }

  @Test
  void momentsAreBoundedAndKeepTheSums() {
    long seed = 2;
    Random random = new Random(seed);
    join("1", 0);
    long time = 0;
    long tokens = 0;
    for (int i = 0; i < 20_000; i++) {
      time += random.nextInt(3000);
      tokens += random.nextInt(50);
      report("1", time, tokens, 1);
      if (i % 1000 == 0) {
        assertThat(store.moments()).as("seed " + seed).hasSizeBetween(1, 512);
      }
    }
    List<Moment> moments = store.moments();
    assertThat(moments.size()).isGreaterThan(GenerationListener.MOST_MOMENTS / 4);
    assertThat(moments.get(moments.size() - 1).time()).isEqualTo(time);
    assertThat(moments.get(moments.size() - 1).outputTokens()).isEqualTo(tokens);
    assertThat(moments)
        .extracting(Moment::outputTokens)
        .isSorted()
        .as("the rates between moments are those of all reports")
        .last()
        .isEqualTo(tokens);
  }

  private void join(String id, long time) {
    listener.onExecutorAdded(
        new SparkListenerExecutorAdded(
            time, id, new ExecutorInfo("host of " + id, 2, Map$.MODULE$.empty())));
  }

  private void report(String id, long time, long outputTokens, int running) {
    EngineStatistics statistics =
        new EngineStatistics(
            0, running, RowStatistics.NONE, 0, 0, 0, 0, outputTokens, 0, 0, 100, 100 - running);
    listener.onOtherEvent(
        new EngineReport(id, time, "a model", List.of("H100", "H100"), 2, statistics));
  }
}
