package dev.sparkmla.ui;

import dev.sparkmla.metrics.GenerationListener;
import dev.sparkmla.metrics.GenerationStore;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.status.AppHistoryServerPlugin;
import org.apache.spark.status.ElementTrackingStore;
import org.apache.spark.ui.SparkUI;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Adds the page to a history server that has this class on its class path. The history server finds
 * it through {@link java.util.ServiceLoader}.
 */
public final class GenerationHistoryPlugin implements AppHistoryServerPlugin {
  /** Called by the history server. */
  public GenerationHistoryPlugin() {}

  @Override
  public Seq<SparkListener> createListeners(SparkConf conf, ElementTrackingStore store) {
    return CollectionConverters.asScala(List.<SparkListener>of(new GenerationListener(conf, store)))
        .toSeq();
  }

  @Override
  public void setupUI(SparkUI ui) {
    GenerationStore store = new GenerationStore(ui.store().store());
    if (store.isUsed()) {
      GenerationTab.attach(store, ui);
    }
  }
}
