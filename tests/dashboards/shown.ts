// What Grafana takes for a dashboard with the kinds of panel that freshd's have, as JSON: its own types, with the words
// and numbers that its enumerations stand for. test_types.py holds each dashboard against it, with `satisfies`, so that
// a property that Grafana does not know is an error too.
import type { Dashboard, DashboardLink, DataQuery, FieldConfig, FieldConfigSource, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type { Options as BarGaugeOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { FieldConfig as HeatmapFields, Options as HeatmapOptions } from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { FieldConfig as StateFields, Options as StateOptions } from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type { FieldConfig as TableFields, Options as TableOptions } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { FieldConfig as LineFields, Options as LineOptions } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Json<T> = T extends string ? `${T}`
  : T extends number ? (`${T}` extends `${infer Number extends number}` ? Number : never)
  : T extends boolean | null | undefined ? T
  : T extends ReadonlyArray<infer Item> ? Array<Json<Item>>
  : T extends object ? { [Key in keyof T]: Json<T[Key]> }
  : T;

// What the data source of type prometheus asks; its types are not part of @grafana/schema.
interface Question extends DataQuery {
  expr: string;
  legendFormat?: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  range?: boolean;
}

interface Fields<Custom> extends Omit<FieldConfigSource, 'defaults'> {
  defaults: Omit<FieldConfig, 'custom' | 'links'> & { custom?: Partial<Custom>; links?: Array<Partial<DashboardLink>> };
}

interface Shown<Type extends string, Options, Custom = {}>
  extends Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> {
  type: Type;
  options?: Partial<Options>;
  fieldConfig?: Fields<Custom>;
  targets: Question[];
}

type AnyPanel =
  | RowPanel
  | Shown<'bargauge', BarGaugeOptions>
  | Shown<'heatmap', HeatmapOptions, HeatmapFields>
  | Shown<'stat', StatOptions>
  | Shown<'state-timeline', StateOptions, StateFields>
  | Shown<'table', TableOptions, TableFields>
  | Shown<'timeseries', LineOptions, LineFields>;

// Saved dashboards carry the text of a variable's question a second time; the types leave it out.
type Variable = VariableModel & { definition?: string };

export type AnyDashboard = Json<
  Omit<Dashboard, 'panels' | 'templating'> & { panels: AnyPanel[]; templating: { list: Variable[] } }
>;
