// What the pages' charts are drawn with: bootstrap bundles this into vendor/echarts.min.js, which is
// `echarts` in the pages. A chart of another kind, or another component, is added here first: the
// whole of ECharts weighs 100 KB more over the wire.

import {
  BarChart, GraphChart, HeatmapChart, LineChart, ScatterChart, TreeChart,
} from "echarts/charts";
import {
  AriaComponent, DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent,
  MarkLineComponent, MarkPointComponent, TitleComponent, ToolboxComponent, TooltipComponent,
  VisualMapComponent,
} from "echarts/components";
import { use } from "echarts/core";
import { CanvasRenderer, SVGRenderer } from "echarts/renderers";

use([
  BarChart, GraphChart, HeatmapChart, LineChart, ScatterChart, TreeChart,
  AriaComponent, DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent,
  MarkLineComponent, MarkPointComponent, TitleComponent, ToolboxComponent, TooltipComponent,
  VisualMapComponent,
  CanvasRenderer, SVGRenderer,
]);

export * from "echarts/core";
