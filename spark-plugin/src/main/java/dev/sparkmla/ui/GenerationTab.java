package dev.sparkmla.ui;

import dev.sparkmla.metrics.GenerationStore;
import org.apache.spark.ui.SparkUI;
import org.apache.spark.ui.SparkUITab;

/** The tab of Spark's web interface with the {@link GenerationPage}. */
public final class GenerationTab extends SparkUITab {
  private GenerationTab(GenerationStore store, SparkUI ui) {
    super(ui, "generation");
    attachPage(new GenerationPage(store, this));
  }

  /**
   * Adds the tab to an application's web interface.
   *
   * @param store where the page reads what it shows
   */
  public static void attach(GenerationStore store, SparkUI ui) {
    ui.attachTab(new GenerationTab(store, ui));
  }
}
