CREATE TABLE `change_log` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`tenant` text NOT NULL,
	`at` integer NOT NULL,
	`request_id` text NOT NULL,
	`actor` text NOT NULL,
	`action` text NOT NULL,
	`target` text NOT NULL,
	`summary` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `change_log_tenant_at` ON `change_log` (`tenant`,`at`);--> statement-breakpoint
CREATE TABLE `tenants` (
	`id` text PRIMARY KEY NOT NULL,
	`generation` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `access_scopes` (
	`tenant` text NOT NULL,
	`name` text NOT NULL,
	`permissions` text NOT NULL,
	`grants` text NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant`, `name`)
);
--> statement-breakpoint
CREATE TABLE `group_mappings` (
	`tenant` text NOT NULL,
	`user_group` text NOT NULL,
	`scope` text NOT NULL,
	PRIMARY KEY(`tenant`, `user_group`, `scope`)
);
--> statement-breakpoint
CREATE TABLE `user_groups` (
	`tenant` text NOT NULL,
	`name` text NOT NULL,
	`description` text DEFAULT '' NOT NULL,
	PRIMARY KEY(`tenant`, `name`)
);
--> statement-breakpoint
CREATE TABLE `catalog_items` (
	`tenant` text NOT NULL,
	`server_id` text NOT NULL,
	`kind` text NOT NULL,
	`position` integer NOT NULL,
	`key` text NOT NULL,
	`definition` text NOT NULL,
	`content_hash` text NOT NULL,
	`problem` text,
	`header_params` text NOT NULL,
	`read_only` integer NOT NULL,
	`idempotent` integer NOT NULL,
	PRIMARY KEY(`server_id`, `kind`, `position`),
	FOREIGN KEY (`server_id`) REFERENCES `servers`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `endpoints` (
	`id` text PRIMARY KEY NOT NULL,
	`server_id` text NOT NULL,
	`tenant` text NOT NULL,
	`position` integer NOT NULL,
	`url` text NOT NULL,
	`weight` integer NOT NULL,
	`health` text NOT NULL,
	`consecutive_failures` integer NOT NULL,
	`consecutive_successes` integer NOT NULL,
	`last_latency_ms` integer,
	`last_probed_at` integer,
	`last_error` text,
	FOREIGN KEY (`server_id`) REFERENCES `servers`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `endpoints_server` ON `endpoints` (`server_id`,`position`);--> statement-breakpoint
CREATE TABLE `server_group_members` (
	`tenant` text NOT NULL,
	`group_name` text NOT NULL,
	`server_id` text NOT NULL,
	PRIMARY KEY(`tenant`, `group_name`, `server_id`),
	FOREIGN KEY (`server_id`) REFERENCES `servers`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `server_group_members_server` ON `server_group_members` (`server_id`);--> statement-breakpoint
CREATE TABLE `server_groups` (
	`tenant` text NOT NULL,
	`name` text NOT NULL,
	`description` text DEFAULT '' NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`tenant`, `name`)
);
--> statement-breakpoint
CREATE TABLE `server_tags` (
	`tenant` text NOT NULL,
	`tag` text NOT NULL,
	`path` text NOT NULL,
	`server_id` text NOT NULL,
	PRIMARY KEY(`tenant`, `tag`, `path`),
	FOREIGN KEY (`server_id`) REFERENCES `servers`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `server_tags_server` ON `server_tags` (`server_id`);--> statement-breakpoint
CREATE TABLE `servers` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant` text NOT NULL,
	`path` text NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`tags` text NOT NULL,
	`license` text NOT NULL,
	`owner` text NOT NULL,
	`visibility` text NOT NULL,
	`allowed_groups` text NOT NULL,
	`enabled` integer NOT NULL,
	`transport` text NOT NULL,
	`auth_strategy` text NOT NULL,
	`headers_sealed` text,
	`header_names` text NOT NULL,
	`timeout_ms` integer NOT NULL,
	`trust_annotations` integer NOT NULL,
	`provenance` text NOT NULL,
	`health` text NOT NULL,
	`upstream` text NOT NULL,
	`discovered` text NOT NULL,
	`catalog_hash` text,
	`discovered_at` integer,
	`search_text` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `servers_tenant_path` ON `servers` (`tenant`,`path`);--> statement-breakpoint
CREATE INDEX `servers_tenant_health_path` ON `servers` (`tenant`,`health`,`path`);--> statement-breakpoint
CREATE INDEX `servers_health` ON `servers` (`health`);