package dev.sparkmla.ui;

import dev.sparkmla.metrics.GenerationStore;
import org.apache.spark.ui.SparkUI;
import org.apache.spark.ui.SparkUITab;

/** The tab of Spark's web interface that has {@link GenerationPage}. */
public final class GenerationTab extends SparkUITab {
  private GenerationTab(GenerationStore store, SparkUI ui) {
    super(ui, "generation");
    attachPage(new GenerationPage(store, this));
  }

  /**
   * Puts the tab into an application's web interface.
   *
   * @param store what the page shows
   */
  public static void attach(GenerationStore store, SparkUI ui) {
    ui.attachTab(new GenerationTab(store, ui));
  }
}
