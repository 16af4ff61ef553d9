package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.apache.spark.SparkStatusTracker;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.util.ArrowUtils;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A local Spark with {@link EchoPlugin} for a test class. After each test no Arrow memory may be
 * left.
 */
final class LocalSpark
    implements BeforeAllCallback, AfterAllCallback, BeforeEachCallback, AfterEachCallback {
  private final Map<String, String> settings;
  private SparkSession session;

  LocalSpark() {
    this(Map.of());
  }

  /** A session with settings of its own, which may replace those of {@link #builder}. */
  LocalSpark(Map<String, String> settings) {
    this.settings = settings;
  }

  @Override
  public void beforeAll(ExtensionContext context) {
    SparkSession.Builder builder = builder().config("spark.plugins", EchoPlugin.class.getName());
    settings.forEach(builder::config);
    session = builder.getOrCreate();
  }

  /** A small local Spark that knows the functions. */
  static SparkSession.Builder builder() {
    return SparkSession.builder()
        .master("local[2, 2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.liveUpdate.period", "0") // else the status of executors lags behind
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.unsafe.exceptionOnMemoryLeak", "true")
        .config("spark.sql.extensions", MlaExtensions.class.getName())
        .config("spark.sql.warehouse.dir", System.getProperty("java.io.tmpdir") + "/warehouse");
  }

  SparkSession session() {
    return session;
  }

  /** Sets what holds from here on. */
  void set(Map<String, String> settings) {
    settings.forEach((key, value) -> session.conf().set(key, value));
  }

  /** Makes the view {@code t(id, p)} of so many rows in so many partitions. */
  void makeTable(int rows, int partitions) {
    session.range(0, rows, 1, partitions).createOrReplaceTempView("ids");
    session.sql("select id, concat('prompt ', id) p from ids").createOrReplaceTempView("t");
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    EchoGenerator.INSTANCE.reset();
  }

  @Override
  public void afterEach(ExtensionContext context) throws TimeoutException {
    session.catalog().clearCache();
    awaitTasks();
    assertThat(ArrowUtils.rootAllocator().getAllocatedMemory()).as("Arrow bytes left").isZero();
  }

  /** A stage that fails leaves its other tasks, which are about to end too. */
  private void awaitTasks() throws TimeoutException {
    session.sparkContext().listenerBus().waitUntilEmpty();
    SparkStatusTracker tracker = session.sparkContext().statusTracker();
    while (Arrays.stream(tracker.getExecutorInfos())
        .anyMatch(executor -> executor.numRunningTasks() > 0)) {
      Thread.onSpinWait();
    }
  }

  @Override
  public void afterAll(ExtensionContext context) {
    session.stop();
  }
}
